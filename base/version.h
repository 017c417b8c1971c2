/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* VHOST_SWITCH_VERSION: a string. Its home is the file VERSION, which the Makefile reads. */
#ifndef VERSION_H
#define VERSION_H

#ifndef VHOST_SWITCH_VERSION
#error "compile with make, which defines VHOST_SWITCH_VERSION"
#endif

#endif /* VERSION_H */
