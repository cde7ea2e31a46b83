# How a room of src/ and a test program are built: rnl_options (flags for all of our C), rnl_room and
# rnl_unit_test.
add_library(rnl_options INTERFACE)
target_compile_options(rnl_options INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
  -Wwrite-strings -Wundef -Wno-missing-field-initializers
  -Wno-format-truncation   # error text is one bounded line: cutting it is what is meant
  -fvisibility=hidden
  -ffp-contract=off        # the only fused multiply-adds are the ones written down: same bits per ISA
  -fno-math-errno -fno-trapping-math)
target_compile_definitions(rnl_options INTERFACE _GNU_SOURCE RNNLAB_VERSION="${PROJECT_VERSION}")
target_include_directories(rnl_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/generated)
if(RNNLAB_WERROR)
  target_compile_options(rnl_options INTERFACE -Werror)
endif()
if(RNNLAB_SANITIZE)
  target_compile_options(rnl_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                         -fno-omit-frame-pointer -g)
  target_link_options(rnl_options INTERFACE -fsanitize=address,undefined)
endif()
if(RNNLAB_COVERAGE)
  target_compile_options(rnl_options INTERFACE --coverage)
  target_link_options(rnl_options INTERFACE --coverage)
endif()

# rnl_room(name LINKS rooms... LIBS libraries...): the static library rnl_<name> of every .c file in
# the current folder. Headers are included as "room/file.h" from src/.
function(rnl_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(rnl_${name} STATIC ${sources})
  target_link_libraries(rnl_${name} PUBLIC rnl_options)
  foreach(room IN LISTS ROOM_LINKS)
    target_link_libraries(rnl_${name} PUBLIC rnl_${room})
  endforeach()
  target_link_libraries(rnl_${name} PRIVATE ${ROOM_LIBS})
endfunction()

# rnl_unit_test(name ROOM room [LABELS ...] [LIBS ...]): a cmocka program from name.c in the
# current folder, linked with one room (and what stands below it).
function(rnl_unit_test name)
  cmake_parse_arguments(TEST "" "ROOM" "LABELS;LIBS" ${ARGN})
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE rnl_options rnl_${TEST_ROOM} PkgConfig::CMOCKA ${TEST_LIBS})
  add_test(NAME ${name} COMMAND ${name})
  rnl_describe_test(${name} ${TEST_LABELS})
  # cmocka's skip() ends a test with status 0: say so.
  set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()
