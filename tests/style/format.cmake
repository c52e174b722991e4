# All sources are as clang-format 14 (Debian 12's) writes them.
#   cmake -D ROOT=<repository> -P format.cmake

cmake_minimum_required(VERSION 3.25)
find_program(clang_format NAMES clang-format-14 clang-format)
if(NOT clang_format)
  message("SKIPPED: clang-format is absent; tests/run.sh installs it")
  return()
endif()
file(GLOB_RECURSE files
  ${ROOT}/messages/*.?pp ${ROOT}/config/*.?pp ${ROOT}/actors/*.?pp ${ROOT}/app/*.?pp ${ROOT}/tests/*.?pp)
execute_process(COMMAND ${clang_format} --dry-run -Werror ${files}
  WORKING_DIRECTORY ${ROOT} RESULT_VARIABLE result ERROR_VARIABLE said)
if(NOT result EQUAL 0)
  string(REGEX MATCHALL "[^\n]+:[0-9]+:[0-9]+: error" places "${said}")
  set(named "")
  foreach(place IN LISTS places)
    string(REGEX REPLACE "^${ROOT}/(.*):([0-9]+):[0-9]+: error$" "\\1;\\2" place "${place}")
    list(GET place 0 file)
    if(NOT file IN_LIST named) # the first place in each file is enough
      list(APPEND named ${file})
      list(GET place 1 line)
      message("${file}:${line}: is not formatted")
    endif()
  endforeach()
  message(FATAL_ERROR "clang-format -i on these files mends this.")
endif()
list(LENGTH files count)
message("${count} files are formatted")
