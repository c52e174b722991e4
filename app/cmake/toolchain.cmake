# Compiler, cache, warnings and sanitizers, in one target every other target links: breakwater::options.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(breakwater_options INTERFACE)
add_library(breakwater::options ALIAS breakwater_options)
target_include_directories(breakwater_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(breakwater_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  $<$<CXX_COMPILER_ID:GNU>:-fmax-errors=5 -Wno-restrict>) # GCC 12 reports "literal" + std::string{} at -O3: a false alarm

if(BREAKWATER_SANITIZE STREQUAL "address")
  # -fno-sanitize=null: CAF 0.17 binds a null reference when it spawns a function without arguments.
  set(sanitize -fsanitize=address,undefined -fno-sanitize=null -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # Not optimized and with line numbers only: that halves the build, and the build is what takes the time.
  target_compile_options(breakwater_options INTERFACE ${sanitize} -O0 -g1)
  target_link_options(breakwater_options INTERFACE ${sanitize})
elseif(BREAKWATER_SANITIZE STREQUAL "thread")
  # BREAKWATER_TSAN: actor_base adds the happens-before edges that the uninstrumented CAF library hides.
  target_compile_options(breakwater_options INTERFACE -fsanitize=thread -Wno-tsan -O1)
  target_compile_definitions(breakwater_options INTERFACE BREAKWATER_TSAN)
  target_link_options(breakwater_options INTERFACE -fsanitize=thread)
elseif(BREAKWATER_SANITIZE)
  message(FATAL_ERROR "BREAKWATER_SANITIZE is '${BREAKWATER_SANITIZE}'; use address, thread or nothing")
endif()
