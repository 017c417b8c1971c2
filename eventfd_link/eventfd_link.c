/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * /dev/eventfd-link: copies an eventfd of another process, for kernels without pidfd_getfd(2).
 * The interface and its errors are in eventfd_link.h.
 *
 * Permission. Who may trace a process may have its eventfds. ptrace_may_access() is not exported
 * to modules, and a check of our own would leave out the security modules (Yama, SELinux), so the
 * kernel is made to ask itself: the opening of /proc/PID/mem succeeds only if ptrace_may_access()
 * allows PTRACE_MODE_ATTACH_FSCREDS. It is opened in an instance of procfs that this module has
 * for itself (what the caller has mounted on its /proc plays no part), and with the real user and
 * group for file system ids, which makes REALCREDS of FSCREDS. The file's own mode is checked on
 * top: a caller whose only privilege is CAP_SYS_PTRACE needs CAP_DAC_READ_SEARCH as well. One's own
 * process may always be traced, as ptrace_may_access() has it.
 *
 * No answer outlives its reason. Number and mm of the target are pinned before the check, and the
 * file descriptor is looked up under task_lock() only while the task still has that mm: it has not
 * ended, so that the number was its own all the time, and it has executed no other program, whose
 * rights and file descriptors would be others.
 *
 * There is no state but the mount, made at load and constant; any number of threads may call.
 */
#include <linux/cred.h>
#include <linux/errno.h>
#include <linux/eventfd.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "eventfd_link.h"

/* Processes have the numbers of the pid namespace in which the module was loaded. */
struct eventfd_link {
	struct vfsmount *proc;
	struct pid_namespace *numbers; /* held by the mount */
};

static struct eventfd_link eventfd_link;

/* Older kernels have these functions under other names. */

static struct vfsmount *
mount_proc(struct file_system_type *type, struct pid_namespace *numbers)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 1, 0)
	(void)numbers; /* the caller's */
	return kern_mount(type);
#else
	return kern_mount_data(type, numbers);
#endif
}

static struct file *
open_in(struct vfsmount *mount, const char *name)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 12, 0)
	return file_open_root_mnt(mount, name, O_RDONLY, 0);
#else
	return file_open_root(mount->mnt_root, mount, name, O_RDONLY, 0);
#endif
}

/* Called with files->file_lock held. */
static struct file *
lookup_locked(struct files_struct *files, unsigned int fd)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
	return files_lookup_fd_locked(files, fd);
#else
	return fcheck_files(files, fd);
#endif
}

/* Returns 0 if the caller, by its real ids, may trace the task, which has this number. */
static int
may_trace(const struct eventfd_link *link, struct task_struct *task, pid_t number)
{
	char name[sizeof("2147483647/mem")];
	const struct cred *before;
	struct cred *real;
	struct file *memory;

	/* A process may trace itself, even if it may not open its own memory. */
	if (same_thread_group(task, current))
		return 0;
	real = prepare_creds();
	if (!real)
		return -ENOMEM;
	real->fsuid = real->uid;
	real->fsgid = real->gid;
	snprintf(name, sizeof(name), "%d/mem", number);
	before = override_creds(real);
	memory = open_in(link->proc, name);
	revert_creds(before);
	put_cred(real);
	if (IS_ERR(memory)) {
		switch (PTR_ERR(memory)) {
		case -EACCES:
			return -EPERM;
		case -ENOENT:
			return -ESRCH;
		}
		return PTR_ERR(memory);
	}
	fput(memory);
	return 0;
}

/* Returns a reference to the task's file `fd`, if the task still has `mm`. */
static struct file *
get_file_of(struct task_struct *task, const struct mm_struct *mm, unsigned int fd)
{
	struct file *file = ERR_PTR(-ESRCH);

	task_lock(task);
	if (task->mm == mm && task->files) {
		spin_lock(&task->files->file_lock);
		file = lookup_locked(task->files, fd);
		if (file)
			get_file(file);
		else
			file = ERR_PTR(-EBADF);
		spin_unlock(&task->files->file_lock);
	}
	task_unlock(task);
	return file;
}

/* Returns 0 if the file is an eventfd, and -EINVAL if not. */
static int
check_eventfd(struct file *file)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	eventfd_ctx_put(ctx);
	return 0;
}

/* Returns a new file descriptor of the caller's for the file. */
static int
give(struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd >= 0)
		fd_install(fd, get_file(file));
	return fd;
}

static int
copy_from_task(const struct eventfd_link *link, struct task_struct *task, pid_t number,
		unsigned int fd)
{
	struct mm_struct *mm;
	struct file *file;
	int ret;

	mm = get_task_mm(task);
	if (!mm)
		return task->flags & PF_KTHREAD ? -EPERM : -ESRCH;
	ret = may_trace(link, task, number);
	if (ret < 0)
		goto put_mm;
	file = get_file_of(task, mm, fd);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto put_mm;
	}
	ret = check_eventfd(file);
	if (ret == 0)
		ret = give(file);
	fput(file);
put_mm:
	mmput(mm);
	return ret;
}

static int
copy_eventfd(const struct eventfd_link *link, const struct eventfd_link_get *from)
{
	struct task_struct *task;
	struct pid *pid;
	int ret = -ESRCH;

	if (from->pid <= 0)
		return -EINVAL;
	pid = find_get_pid(from->pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	if (task) {
		ret = copy_from_task(link, task, pid_nr_ns(pid, link->numbers), from->fd);
		put_task_struct(task);
	}
	put_pid(pid);
	return ret;
}

static long
eventfd_link_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct eventfd_link_get from;

	(void)file;
	if (request != EVENTFD_LINK_GET)
		return -ENOTTY;
	if (copy_from_user(&from, (const void __user *)argument, sizeof(from)))
		return -EFAULT;
	return copy_eventfd(&eventfd_link, &from);
}

static const struct file_operations eventfd_link_fops = {
		.owner = THIS_MODULE,
		.unlocked_ioctl = eventfd_link_ioctl,
};

static struct miscdevice eventfd_link_device = {
		.minor = MISC_DYNAMIC_MINOR,
		.name = EVENTFD_LINK_DEVICE,
		.fops = &eventfd_link_fops,
};

static int __init
eventfd_link_init(void)
{
	struct file_system_type *type;
	int ret;

	type = get_fs_type("proc"); /* procfs is never a module, so there is no reference to drop */
	if (!type)
		return -ENODEV;
	eventfd_link.numbers = task_active_pid_ns(current);
	eventfd_link.proc = mount_proc(type, eventfd_link.numbers);
	if (IS_ERR(eventfd_link.proc))
		return PTR_ERR(eventfd_link.proc);
	ret = misc_register(&eventfd_link_device);
	if (ret < 0)
		kern_unmount(eventfd_link.proc);
	return ret;
}

static void __exit
eventfd_link_exit(void)
{
	misc_deregister(&eventfd_link_device);
	kern_unmount(eventfd_link.proc);
}

module_init(eventfd_link_init);
module_exit(eventfd_link_exit);
MODULE_DESCRIPTION("copies eventfds of other processes, as pidfd_getfd(2) does");
MODULE_LICENSE("Dual BSD/GPL");
