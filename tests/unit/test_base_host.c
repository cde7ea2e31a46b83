/* The machine, the process, the time, and the git state of a folder (made here by hand, and by git
 * where there is one). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/git.h"
#include "base/host.h"
#include "test_folder.h"

#define HASH_A "0123456789abcdef0123456789abcdef01234567"
#define HASH_B "fedcba9876543210fedcba9876543210fedcba98"

static void test_host(void **state) {
  (void)state;
  rnl_host host;
  rnl_host_describe(&host);
  assert_true(host.name[0] && host.cpu[0] && host.system[0]);
  assert_true(host.cores >= 1);
}

static void test_process(void **state) {
  (void)state;
  rnl_process self, other;
  rnl_process_self(&self);
  assert_int_equal(self.pid, getpid());
  assert_int_equal(rnl_process_life(&self), RNL_ALIVE);
  if (self.start > 0) {
    other = self;
    other.start++; /* the pid came round again */
    assert_int_equal(rnl_process_life(&other), RNL_DEAD);
  }
  if (self.boot_id[0]) {
    other = self;
    other.boot_id[0] = other.boot_id[0] == '0' ? '1' : '0';
    assert_int_equal(rnl_process_life(&other), RNL_DEAD); /* rebooted */
    strcpy(other.host, "another-machine");
    assert_int_equal(rnl_process_life(&other), RNL_ELSEWHERE);
  }
  other = (rnl_process){ .pid = 0 };
  strcpy(other.host, self.host);
  assert_int_equal(rnl_process_life(&other), RNL_DEAD);
}

static void test_dead_child_and_zombie(void **state) {
  (void)state;
  int ends[2];
  rnl_process child = { 0 };
  assert_int_equal(pipe(ends), 0);
  pid_t pid = fork();
  if (pid == 0) {
    rnl_process_self(&child);
    _exit(write(ends[1], &child, sizeof child) == sizeof child ? 0 : 1);
  }
  assert_int_equal(read(ends[0], &child, sizeof child), sizeof child);
  close(ends[0]);
  close(ends[1]);
  siginfo_t info;
  assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  if (child.start > 0) assert_int_equal(rnl_process_life(&child), RNL_DEAD); /* a zombie */
  waitpid(pid, NULL, 0);
  assert_int_equal(rnl_process_life(&child), RNL_DEAD);
}

static void test_time(void **state) {
  (void)state;
  char a[RNL_TIME_TEXT], b[RNL_TIME_TEXT];
  rnl_time_utc(a);
  assert_int_equal(strlen(a), 27);
  assert_true(a[4] == '-' && a[10] == 'T' && a[19] == '.' && a[26] == 'Z');
  double start = rnl_time_monotonic();
  nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
  assert_true(rnl_time_monotonic() - start >= 0.002);
  assert_true(strcmp(a, rnl_time_utc(b)) < 0);
}

/* ---- git ------------------------------------------------------------------------------------ */

static rnl_git_state ask(const char *folder) {
  rnl_git_state state, early;
  rnl_git *git = rnl_git_start(folder);
  rnl_git_peek(git, &early);
  rnl_git_finish(git, 5, &state);
  assert_string_equal(early.commit, state.commit);
  assert_int_equal(early.dirty, -1);
  assert_int_equal(rnl_alloc_live(), 0);
  return state;
}

static void folder(const char *name) { assert_int_equal(mkdir(test_path("%s", name), 0777), 0); }

static void test_git_no_repository(void **state) {
  (void)state;
  folder("deep");
  rnl_git_state s = ask(test_path("deep"));
  assert_false(s.found); /* the test folder lies in no repository */
  assert_string_equal(s.commit, "");
  assert_int_equal(s.dirty, -1);
  assert_false(ask(test_path("no/such/folder")).found);
  rnl_git_finish(NULL, 0, &s);
  assert_false(s.found);
}

static void test_git_files(void **state) {
  (void)state;
  folder(".git");
  folder(".git/refs");
  folder(".git/refs/heads");
  folder("sub");
  put_text(test_path(".git/HEAD"), "ref: refs/heads/main\n");
  assert_false(ask(test_path("sub")).found); /* no commit yet */
  put_text(test_path(".git/packed-refs"), "# pack-refs with: peeled\n" HASH_B " refs/heads/main2\n" HASH_A
                                          " refs/heads/main\n^" HASH_B "\n");
  rnl_git_state s = ask(test_path("sub"));
  assert_true(s.found);
  assert_string_equal(s.commit, HASH_A);
  assert_string_equal(s.branch, "main");
  put_text(test_path(".git/refs/heads/main"), HASH_B "\n"); /* a loose ref wins */
  assert_string_equal(ask(test_folder).commit, HASH_B);
  put_text(test_path(".git/HEAD"), HASH_A "\n"); /* detached */
  s = ask(test_folder);
  assert_string_equal(s.commit, HASH_A);
  assert_string_equal(s.branch, "");
}

static void test_git_hostile_files(void **state) {
  (void)state;
  static const char *const heads[] = { "", "ref:", "ref: ../../../etc/passwd", "ref: /etc/passwd", "nonsense",
                                       "ref: HEAD", "0123", "ref: refs/heads/\n\n" };
  folder(".git");
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    put_text(test_path(".git/HEAD"), heads[i]);
    assert_false(ask(test_folder).found);
  }
}

static void test_git_worktree_file(void **state) {
  (void)state;
  folder("main");
  folder("main/.git");
  folder("main/.git/refs");
  folder("main/.git/refs/heads");
  folder("main/.git/worktrees");
  folder("main/.git/worktrees/w");
  folder("w");
  put_text(test_path("main/.git/refs/heads/topic"), HASH_A "\n");
  put_text(test_path("main/.git/worktrees/w/HEAD"), "ref: refs/heads/topic\n");
  put_text(test_path("main/.git/worktrees/w/commondir"), "../..\n");
  put_text(test_path("w/.git"), "gitdir: ../main/.git/worktrees/w\n");
  rnl_git_state s = ask(test_path("w"));
  assert_true(s.found);
  assert_string_equal(s.commit, HASH_A);
  assert_string_equal(s.branch, "topic");
}

static bool git(const char *command) {
  char line[1024];
  snprintf(line, sizeof line, "cd '%s' && git -c user.name=t -c user.email=t@t %s >git.log 2>&1",
           test_folder, command);
  return system(line) == 0;
}

static void test_git_dirty(void **state) {
  (void)state;
  if (!git("init")) return; /* no git here: dirty stays -1, as in the tests above */
  put_text(test_path("script.lua"), "return 1\n");
  assert_true(git("add script.lua") && git("commit -m one"));
  assert_int_equal(ask(test_folder).dirty, 0);
  put_text(test_path("untracked"), "x");
  assert_int_equal(ask(test_folder).dirty, 0);
  put_text(test_path("script.lua"), "return 22\n");
  assert_int_equal(ask(test_folder).dirty, 1);
  rnl_git_state s;
  rnl_git_finish(rnl_git_start(test_folder), 0, &s); /* not waited for */
  assert_true(s.dirty == -1 || s.dirty == 1);
  assert_int_equal(strlen(s.commit), 40);
  /* A repository that names programs of its own: git is not started. */
  char line[512];
  snprintf(line, sizeof line, "config filter.x.clean 'touch %s/ran'", test_folder);
  assert_true(git(line));
  put_text(test_path(".gitattributes"), "*.lua filter=x\n");
  assert_int_equal(ask(test_folder).dirty, -1);
  assert_int_equal(access(test_path("ran"), F_OK), -1);
}

int main(void) {
  unsetenv("GIT_DIR"); /* the tests may be run from a hook */
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
    cmocka_unit_test(test_host), cmocka_unit_test(test_process),
    cmocka_unit_test(test_dead_child_and_zombie), cmocka_unit_test(test_time),
    IN_FOLDER(test_git_no_repository), IN_FOLDER(test_git_files), IN_FOLDER(test_git_hostile_files),
    IN_FOLDER(test_git_worktree_file), IN_FOLDER(test_git_dirty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
