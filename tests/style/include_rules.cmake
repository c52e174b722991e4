# Who may include what. Prints file:line of each offender and fails if there is one.
#   cmake -D ROOT=<repository> -P include_rules.cmake
# app/ and tests/ may include everything, so they are not looked at.

cmake_minimum_required(VERSION 3.25)

# Kinds of file; the first match wins. Each kind lists the classes of include it may have.
# Kept as texts with spaces, so that each is one element of `kinds`.
set(core "std json messages settings support own_core")
set(edge "${core} posix emit own_io support_io library")
set(shell "${core} caf emit own_actor")
set(kinds
  "^messages/(actors|type_ids)[.]hpp$"       "messages_caf"  "std messages caf"
  "^messages/"                               "message"       "std messages"
  "^config/load[.]cpp$"                      "loader"        "std messages settings config toml"
  "^config/(file_rights|secret_file)[.]cpp$" "reader of rights" "std messages settings config posix"
  "^config/"                                 "config"        "std messages settings config"
  "^actors/support/(actor_base|ask|relay)[.]" "shell"        "${shell}"
  "^actors/[^/]+/[^/]*_io[.]"                "edge"          "${edge}"
  "^actors/[^/]+/[^/]*_actor[.]"             "shell"         "${shell}"
  "^actors/[^/]+/"                           "core or port"  "${core}")

# Classes of include; the first match wins. OWN stands for the folder of the including file, such as actors/feed/.
set(classes
  "<[a-z0-9_]+>"                                        std
  "<(nlohmann/.*|simdjson[.]h)>"                        json
  "<caf/.*>"                                            caf
  "<toml[+][+]/.*>"                                     toml
  "<((sys|netinet|arpa|net)/.*|(unistd|fcntl|poll|netdb|signal|pwd|grp|dirent|termios|syslog)[.]h)>" posix
  "<.*>"                                                library
  "\"messages/(actors|type_ids)[.]hpp\""                caf
  "\"messages/.*\""                                     messages
  "\"config/settings[.]hpp\""                           settings
  "\"config/.*\""                                       config
  "\"actors/support/(actor_base|ask|relay)[.]hpp\""     caf
  "\"actors/support/(emit|metrics)[.]hpp\""             emit
  "\"OWN[^/]*_io[.]hpp\""                               own_io
  "\"OWN[^/]*_actor[.]hpp\""                            own_actor
  "\"OWN[^/]*\""                                        own_core
  "\"actors/support/[^/]*_io[.]hpp\""                   support_io
  "\"actors/support/.*\""                               support
  "\"actors/.*\""                                       other_actor
  "\"app/.*\""                                          app
  "\"tests/.*\""                                        tests
  ".*"                                                  relative)

# Sets `class` to that of `include`, which stands in a file of folder `own`.
function(classify include own)
  list(LENGTH classes length)
  foreach(i RANGE 0 ${length} 2)
    list(GET classes ${i} pattern)
    string(REPLACE "OWN" "${own}" pattern "${pattern}")
    if(include MATCHES "^${pattern}$")
      math(EXPR i "${i} + 1")
      list(GET classes ${i} class)
      set(class ${class} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Sets `kind` and `allowed` for a file.
function(find_kind file)
  list(LENGTH kinds length)
  foreach(i RANGE 0 ${length} 3)
    list(GET kinds ${i} pattern)
    if(file MATCHES "${pattern}")
      math(EXPR name "${i} + 1")
      math(EXPR classes_at "${i} + 2")
      list(GET kinds ${name} kind)
      list(GET kinds ${classes_at} allowed)
      set(kind ${kind} PARENT_SCOPE)
      string(REPLACE " " ";" allowed "${allowed}")
      set(allowed ${allowed} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# The library an include belongs to. Boost.Asio is what every socket edge moves bytes with, and brings OpenSSL for TLS;
# neither counts as the one library an edge wraps.
function(library_of include)
  set(library "" PARENT_SCOPE)
  if(include MATCHES "^<(boost/asio|openssl/|boost/(system|version|optional))")
    return()
  endif()
  string(REGEX REPLACE "^<([^/.>]+).*" "\\1" name "${include}")
  if(name STREQUAL "fmt") # spdlog's own
    set(name spdlog)
  endif()
  set(library ${name} PARENT_SCOPE)
endfunction()

set(offenders "")
file(GLOB_RECURSE files RELATIVE ${ROOT}
  ${ROOT}/messages/*.?pp ${ROOT}/config/*.?pp ${ROOT}/actors/*.?pp)
foreach(file IN LISTS files)
  find_kind(${file})
  get_filename_component(own ${file} DIRECTORY)
  file(READ ${ROOT}/${file} content)
  string(REGEX REPLACE "[][;\\]" " " content "${content}") # these would tear CMake's lists
  string(REPLACE "\n" ";" lines "${content}")
  set(number 0)
  set(wrapped "")
  foreach(line IN LISTS lines)
    math(EXPR number "${number} + 1")
    if(NOT line MATCHES "^[ \t]*#[ \t]*include[ \t]*([<\"][^>\"]*[>\"])")
      continue()
    endif()
    set(include ${CMAKE_MATCH_1})
    classify(${include} ${own}/)
    if(NOT class IN_LIST allowed)
      string(APPEND offenders "${file}:${number}: ${kind} must not include ${include} (${class})\n")
    elseif(class STREQUAL "library")
      library_of(${include})
      if(library AND wrapped AND NOT library STREQUAL wrapped)
        string(APPEND offenders "${file}:${number}: edge wraps ${wrapped}, so it must not include ${include} too\n")
      elseif(library)
        set(wrapped ${library})
      endif()
    endif()
  endforeach()
endforeach()

list(LENGTH files count)
if(offenders)
  message("${offenders}")
  message(FATAL_ERROR "The table in tests/style/include_rules.cmake says who may include what.")
endif()
message("${count} files keep the include rules")
