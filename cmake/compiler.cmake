# The compilers that are known to be wrong are refused before they waste anybody's time.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} destroys temporaries of co_await expressions twice. "
    "Install clang-19 (apt-get install clang-19) and configure with: cmake --preset release")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "clang++ ${CMAKE_CXX_COMPILER_VERSION} has no std::expected with libstdc++. "
    "Install clang-19 (apt-get install clang-19) and configure with: cmake --preset release")
endif()

option(VIRTSEER_SANITIZE "address and undefined behaviour sanitizers" OFF)
option(VIRTSEER_PCH "precompiled headers" OFF)

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

find_program(CCACHE ccache)
if(CCACHE)
  # A clean clone lies elsewhere: relative paths let it find what another clone has built.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
      ${CCACHE})
endif()
find_program(LLD ld.lld-19)
if(LLD)
  add_link_options(--ld-path=${LLD})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -fno-omit-frame-pointer)
add_compile_definitions(BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)

# The static agent is never linked with a sanitizer; its sources are sanitized in unit tests and fuzzers.
set(VIRTSEER_SANITIZERS
    -fsanitize=address,fuzzer-no-link
    -fsanitize=null,bounds,signed-integer-overflow,shift,alignment,unreachable,return,bool,enum,vptr
    -fno-sanitize-recover=all)
function(virtseer_compile target)
  if(VIRTSEER_SANITIZE)
    target_compile_options(${target} PRIVATE ${VIRTSEER_SANITIZERS} -O1)
    target_link_options(${target} PRIVATE ${VIRTSEER_SANITIZERS})
  endif()
endfunction()
