/* app/main.c: the program. Everything else is behind rnl_command_main. */
#include <fcntl.h>
#include <unistd.h>

#include "app/command.h"
#include "app/output.h"
#include "app/signals.h"

/* A standard descriptor that was closed by whoever started us would be given to the first file opened, and
 * results would be printed into it. In its place comes one that refuses: reading from the standard output's,
 * writing to the standard input's. */
static void fill_standard_descriptors(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
      _exit(RNL_EXIT_FAILED);
}

int main(int argc, char **argv) {
  fill_standard_descriptors();
  rnl_signals_install();
  rnl_args args;
  rnl_error err;
  int code;
  if (rnl_command_parse(&args, argc, argv, &err) == RNL_OK) {
    code = rnl_command_main(&args);
  } else {
    rnl_complain("%s", err.text);
    code = RNL_EXIT_USAGE;
  }
  rnl_args_free(&args);
  return rnl_finish_output(code);
}
