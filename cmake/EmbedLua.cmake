# Writes the C file that carries lua/rnnlab/*.lua inside the program (see src/bind/lua_sources.h).
# Called as: cmake -DROOT=<lua folder> -DOUTPUT=<file.c> -DFILES=<a|b|c, below ROOT> -P EmbedLua.cmake
string(REPLACE "|" ";" files "${FILES}")
set(names "")
foreach(file IN LISTS files)
  string(REGEX REPLACE "\\.lua$" "" module "${file}")
  string(REGEX REPLACE "/init$" "" module "${module}")
  string(REPLACE "/" "." module "${module}")
  list(APPEND names "${module}")
  set("file_of_${module}" "${file}")
endforeach()
list(SORT names)

set(bodies "")
set(entries "")
set(number 0)
foreach(module IN LISTS names)
  set(file "${file_of_${module}}")
  file(READ "${ROOT}/${file}" hex HEX)
  file(SIZE "${ROOT}/${file}" size)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND bodies "static const unsigned char source_${number}[] = {\n${hex}0x00};\n")
  string(APPEND entries "  {\"${module}\", (const char *)source_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "/* Written by cmake/EmbedLua.cmake from lua/; not to be edited. */
#include \"bind/lua_sources.h\"

${bodies}
const struct rnl_lua_source rnl_lua_sources[] = {
${entries}  {NULL, NULL, 0},
};
")
