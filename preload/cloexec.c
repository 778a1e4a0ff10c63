/* What the program asked of its descriptors' close-on-exec (conn.h). */
#include "conn.h"

static egret_fd_bits cloexec;

bool egret_conn_cloexec(int fd) { return egret_fd_bit(cloexec, fd); }
void egret_conn_set_cloexec(int fd, bool on) { egret_fd_bit_put(cloexec, fd, on); }
