// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// All programs that count groups of processes, as one object.
#include "groups.h"
//
#include "group_block.h"
#include "group_tasks.h"

char programs_license[] SEC("license") = "GPL";
