# config/breakwater.toml and config/reference.md are what the schema generates.
#   cmake -D ROOT=<repository> -D SCRATCH=<folder> -D WRITER=<breakwater_config_docs> -P reference_is_fresh.cmake

cmake_minimum_required(VERSION 3.25)
file(MAKE_DIRECTORY ${SCRATCH})
execute_process(COMMAND ${WRITER} ${SCRATCH} COMMAND_ERROR_IS_FATAL ANY)
foreach(document breakwater.toml reference.md)
  execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${SCRATCH}/${document} ${ROOT}/config/${document}
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "config/${document} is stale: cmake --build --preset release --target config_docs")
  endif()
endforeach()
