# The two commands the folders' CMakeLists.txt are written in.

# breakwater_library(<folder> SOURCES ... LINKS ...): static library breakwater::<folder>.
function(breakwater_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  add_library(breakwater_${name} STATIC ${arg_SOURCES})
  add_library(breakwater::${name} ALIAS breakwater_${name})
  target_link_libraries(breakwater_${name} PUBLIC breakwater::options ${arg_LINKS})
endfunction()

# breakwater_test(<file without .cpp> [LABELS ...]): one Boost.Test program of this folder and one CTest, both named by
# their path below tests/ with dots: actors.breaker.breaker_test.
function(breakwater_test file)
  cmake_parse_arguments(arg "" "" "LABELS" ${ARGN})
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR}/tests ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  string(REPLACE "/" "." name ${path})
  add_executable(${name} ${file}.cpp)
  target_link_libraries(${name} PRIVATE breakwater::test_support)
  # What is tested is optimized; the tests themselves would only take a quarter longer to compile.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  add_test(NAME ${name} COMMAND ${name} --color_output=no WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # Only what hangs meets it; sanitizers take several times as long.
  set_tests_properties(${name} PROPERTIES TIMEOUT $<IF:$<BOOL:${BREAKWATER_SANITIZE}>,900,120> LABELS "${arg_LABELS}")
endfunction()
