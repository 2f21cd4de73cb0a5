/*
 * networkd up LINKS PROGRAM [ARG…]: starts systemd-networkd, waits until it has configured as many links, and ends it.
 * The processor time and the memory of a wait4 for this program are those of the daemon. It is killed: what it would do
 * to end is not part of the work.
 * networkd start LINKS PROGRAM [ARG…]: the same, and the daemon continues. Its process is named in /run/networkd.pid.
 * networkd reload PORT VID: sends SIGHUP to it, and waits until the port does not have this VLAN any more.
 * networkd stop: ends it.
 *
 * The daemon writes the state of each link into a file. They are read every 10 ms, or less often: with a tenth of the
 * processor time at most, and no more of them than the first that is not configured.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINKS "/run/systemd/netif/links"
#define PID "/run/networkd.pid"

/* The processor time of this program in nanoseconds. */
static long long used(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* 1: configured, -1: not managed, 0: not yet. */
static int state(int directory, const char *name)
{
	char text[4096];
	int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
	close(file);
	text[length > 0 ? length : 0] = '\0';
	if (strstr(text, "ADMIN_STATE=failed"))
		errx(1, "the configuration of link %s failed", name);
	return strstr(text, "ADMIN_STATE=configured") ? 1 : strstr(text, "ADMIN_STATE=unmanaged") ? -1 : 0;
}

static int configured(int links)
{
	DIR *directory = opendir(LINKS);
	struct dirent *entry;
	int count = 0, one = 1;
	while (directory && one && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		one = state(dirfd(directory), entry->d_name);
		if (one > 0)
			count++;
	}
	if (directory)
		closedir(directory);
	return one && count == links;
}

static pid_t start(int links, char **program)
{
	pid_t pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		execv(program[0], program);
		err(1, "%s", program[0]);
	}
	for (;;) {
		long long before = used();
		if (configured(links))
			return pid;
		if (waitpid(pid, NULL, WNOHANG) != 0)
			errx(1, "%s ended", program[0]);
		long long pause = 10 * (used() - before);
		if (pause < 10000000)
			pause = 10000000;
		struct timespec t = { pause / 1000000000, pause % 1000000000 };
		nanosleep(&t, NULL);
	}
}

static pid_t daemon_pid(void)
{
	char text[16] = "";
	int file = open(PID, O_RDONLY | O_CLOEXEC);
	if (file < 0 || read(file, text, sizeof text - 1) <= 0)
		err(1, PID);
	close(file);
	return atoi(text);
}

/* Whether a message about a port has the VLAN, alone or within a range. */
static int has_vlan(struct nlmsghdr *message, int vid)
{
	int left = IFLA_PAYLOAD(message), first = 0, inner;
	for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(message)); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if ((a->rta_type & NLA_TYPE_MASK) != IFLA_AF_SPEC)
			continue;
		inner = RTA_PAYLOAD(a);
		for (struct rtattr *b = RTA_DATA(a); RTA_OK(b, inner); b = RTA_NEXT(b, inner)) {
			struct bridge_vlan_info *vlan = RTA_DATA(b);
			if (b->rta_type != IFLA_BRIDGE_VLAN_INFO)
				continue;
			if (!(vlan->flags & BRIDGE_VLAN_INFO_RANGE_END))
				first = vlan->vid;
			if (first <= vid && vid <= vlan->vid)
				return 1;
		}
	}
	return 0;
}

/* Waits for the kernel's message about the port. */
static void reload(const char *port, int vid)
{
	static char answer[1 << 16];
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), index = if_nametoindex(port);
	if (fd < 0 || bind(fd, (struct sockaddr *)&group, sizeof group))
		err(1, "netlink");
	if (kill(daemon_pid(), SIGHUP))
		err(1, "SIGHUP");
	for (;;) {
		ssize_t length = recv(fd, answer, sizeof answer, 0);
		struct nlmsghdr *message = (struct nlmsghdr *)answer;
		struct ifinfomsg *link = NLMSG_DATA(message);
		if (length > 0 && message->nlmsg_type == RTM_NEWLINK && link->ifi_family == AF_BRIDGE &&
		    link->ifi_index == index && !has_vlan(message, vid))
			return;
	}
}

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "up")) {
		pid_t pid = start(atoi(argv[2]), argv + 3);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	} else if (argc > 3 && !strcmp(argv[1], "start")) {
		FILE *file = fopen(PID, "we");
		if (!file)
			err(1, PID);
		/* The measured programs have a process group each, which is killed at the end of their time. */
		setpgid(0, 0);
		fprintf(file, "%d\n", start(atoi(argv[2]), argv + 3));
	} else if (argc == 4 && !strcmp(argv[1], "reload")) {
		reload(argv[2], atoi(argv[3]));
	} else if (argc == 2 && !strcmp(argv[1], "stop")) {
		kill(daemon_pid(), SIGKILL);
	} else {
		return 2;
	}
	return 0;
}
