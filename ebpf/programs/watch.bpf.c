// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// All programs that watch a whole machine, as one object: one walk through the kernel's BTF loads them.
#include "process.h"
//
#include "block.h"
#include "connections.h"
#include "library.h"
#include "sched.h"
#include "services.h"
#include "syscalls.h"

char programs_license[] SEC("license") = "GPL";
