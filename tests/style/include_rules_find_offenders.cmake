# include_rules.cmake on made-up sources: it must name each offender, and nothing else.

cmake_minimum_required(VERSION 3.25)
set(checker ${CMAKE_CURRENT_LIST_DIR}/include_rules.cmake)

function(given_file path)
  list(JOIN ARGN "\n" text)
  file(WRITE ${SCRATCH}/${path} "// line 1; with [odd \\\n\n${text}\n")
endfunction()

function(check)
  execute_process(COMMAND ${CMAKE_COMMAND} -D ROOT=${SCRATCH} -P ${checker}
    RESULT_VARIABLE result ERROR_VARIABLE said OUTPUT_VARIABLE said)
  set(result ${result} PARENT_SCOPE)
  set(said "${said}" PARENT_SCOPE)
endfunction()

# Good sources: everything each kind may include.
file(REMOVE_RECURSE ${SCRATCH})
given_file(messages/candle.hpp "#include <string>" "#include \"messages/time.hpp\"")
given_file(messages/actors.hpp "#include <caf/fwd.hpp>" "#include \"messages/type_ids.hpp\"")
given_file(config/load.cpp "#include \"config/schema.hpp\"" "#include <toml++/toml.h>")
given_file(actors/redis/link.cpp "#include \"actors/redis/link.hpp\"" "#include \"actors/support/backoff.hpp\""
  "#include \"config/settings.hpp\"" "#include \"messages/redis.hpp\"" "#include <nlohmann/json.hpp>")
given_file(actors/redis/redis_io.cpp "#include \"actors/redis/redis_port.hpp\"" "#include \"actors/support/emit.hpp\""
  "#include <boost/asio/post.hpp>" "#include <hiredis/read.h>" "#include <netinet/tcp.h>")
given_file(actors/support/emit_io.cpp "#include <spdlog/spdlog.h>" "#include <fmt/core.h>")
given_file(actors/support/relay.hpp "#include <caf/sec.hpp>")
given_file(actors/redis/redis_actor.cpp "#include \"actors/redis/redis_actor.hpp\""
  "#include \"actors/support/actor_base.hpp\"" "#include \"messages/actors.hpp\"" "#include <caf/send.hpp>")
given_file(app/main.cpp "#include <spdlog/spdlog.h>" "#include <caf/all.hpp>")
check()
if(NOT result EQUAL 0)
  message(FATAL_ERROR "good sources were refused:\n${said}")
endif()

# Bad ones: one offender a line.
given_file(messages/bad.hpp "#include <caf/fwd.hpp>" "#include \"messages/actors.hpp\"" "#include <nlohmann/json.hpp>"
  "#include \"config/settings.hpp\"")
given_file(config/bad.cpp "#include <toml++/toml.h>" "  #  include <caf/actor_system.hpp>")
given_file(actors/redis/bad.cpp "#include <caf/send.hpp>" "#include <boost/asio/post.hpp>" "#include <unistd.h>"
  "#include \"actors/redis/redis_io.hpp\"" "#include \"actors/redis/redis_actor.hpp\""
  "#include \"actors/support/emit.hpp\"" "#include \"actors/support/actor_base.hpp\""
  "#include \"actors/breaker/breaker.hpp\"" "#include \"config/load.hpp\"" "#include \"link.hpp\""
  "#include \"app/wiring.hpp\"")
given_file(actors/redis/bad_io.cpp "#include <hiredis/read.h>" "#include <spdlog/spdlog.h>" "#include <caf/send.hpp>"
  "#include \"actors/support/relay.hpp\"" "#include \"messages/type_ids.hpp\"")
given_file(actors/redis/bad_actor.cpp "#include \"actors/redis/redis_io.hpp\"" "#include <hiredis/read.h>"
  "#include \"actors/breaker/breaker_actor.hpp\"" "#include \"actors/support/emit_io.hpp\""
  "#include \"tests/support/actor_fixture.hpp\"")
set(offenders
  messages/bad.hpp:3 messages/bad.hpp:4 messages/bad.hpp:5 messages/bad.hpp:6
  config/bad.cpp:3 config/bad.cpp:4
  actors/redis/bad.cpp:3 actors/redis/bad.cpp:4 actors/redis/bad.cpp:5 actors/redis/bad.cpp:6 actors/redis/bad.cpp:7
  actors/redis/bad.cpp:8 actors/redis/bad.cpp:9 actors/redis/bad.cpp:10 actors/redis/bad.cpp:11
  actors/redis/bad.cpp:12 actors/redis/bad.cpp:13
  actors/redis/bad_io.cpp:4 actors/redis/bad_io.cpp:5 actors/redis/bad_io.cpp:6 actors/redis/bad_io.cpp:7
  actors/redis/bad_actor.cpp:3 actors/redis/bad_actor.cpp:4 actors/redis/bad_actor.cpp:5 actors/redis/bad_actor.cpp:6
  actors/redis/bad_actor.cpp:7)
check()
if(result EQUAL 0)
  message(FATAL_ERROR "bad sources were accepted:\n${said}")
endif()
string(REGEX MATCHALL "[a-z_/]+[.][ch]pp:[0-9]+: [a-z]+ (or port )?(must not include|wraps)" named "${said}")
list(TRANSFORM named REPLACE ": .*" "")
list(SORT named)
list(SORT offenders)
if(NOT named STREQUAL offenders)
  message(FATAL_ERROR "expected: ${offenders}\nnamed:    ${named}\n${said}")
endif()
list(LENGTH named count)
message("${count} offenders were named")
