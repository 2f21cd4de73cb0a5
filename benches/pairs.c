/*
 * pairs up|down COUNT: COUNT veth pairs, each with one end in a namespace of its own, with addresses of both families
 * and default routes there, by raw netlink messages: the minimum cost of what `ifnetlink apply` does.
 *
 * The namespaces are named, as by `ip netns`. The links are deleted as one group, so that the kernel waits once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlink.h"

#define GROUP 0x70616972

static int netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		err(1, "netlink");
	return fd;
}

static void up(int fd, int index)
{
	struct ifinfomsg link = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	begin(RTM_NEWLINK, 0, &link, sizeof link);
	make(fd, "up");
}

static size_t parse(int family, const char *text, unsigned char *address)
{
	inet_pton(family, text, address);
	return family == AF_INET ? 4 : 16;
}

static void address(int fd, int index, int family, int length, const char *text)
{
	unsigned char bytes[16], protocol = 73;
	size_t size = parse(family, text, bytes);
	struct ifaddrmsg head = { family, length, 0, RT_SCOPE_UNIVERSE, index };
	begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
	add(IFA_LOCAL, bytes, size);
	add(IFA_ADDRESS, bytes, size);
	add(IFA_PROTO, &protocol, 1);
	make(fd, "address");
}

static void route(int fd, int index, int family, const char *gateway)
{
	unsigned char bytes[16];
	size_t size = parse(family, gateway, bytes);
	struct rtmsg head = { .rtm_family = family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = 73, .rtm_type = RTN_UNICAST };
	begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
	add(RTA_GATEWAY, bytes, size);
	add(RTA_OIF, &index, sizeof index);
	make(fd, "route");
}

static void one_up(int here, int own, int number)
{
	char name[32], peer[32], path[64], text[64], gateway[64];
	sprintf(name, "w%d", number);
	sprintf(peer, "x%d", number);
	sprintf(path, "/run/netns/n%d", number);
	close(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0));
	if (unshare(CLONE_NEWNET) || mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL))
		err(1, "%s", path);
	int there = netlink(), file = open(path, O_RDONLY | O_CLOEXEC);
	up(there, 1);

	begin_pair(name, peer, file);
	make(here, "pair");

	int inside = if_nametoindex(peer);
	if (setns(own, CLONE_NEWNET))
		err(1, "setns");
	int outside = if_nametoindex(name);
	up(here, outside);
	sprintf(gateway, "10.%d.%d.1", number / 250, number % 250);
	address(here, outside, AF_INET, 24, gateway);
	sprintf(text, "10.%d.%d.2", number / 250, number % 250);
	up(there, inside);
	address(there, inside, AF_INET, 24, text);
	route(there, inside, AF_INET, gateway);
	sprintf(gateway, "fd00:%x::1", number);
	address(here, outside, AF_INET6, 64, gateway);
	sprintf(text, "fd00:%x::2", number);
	address(there, inside, AF_INET6, 64, text);
	route(there, inside, AF_INET6, gateway);
	close(there);
	close(file);
}

static void all_down(int here, int count)
{
	char text[64];
	for (int number = 1; number <= count; number++) {
		sprintf(text, "w%d", number);
		put_in_group(here, text, GROUP);
	}
	delete_group(here, GROUP);
	for (int number = 1; number <= count; number++) {
		sprintf(text, "/run/netns/n%d", number);
		if (umount2(text, MNT_DETACH) || unlink(text))
			err(1, "%s", text);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int here = netlink(), own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), count = atoi(argv[2]);
	if (!strcmp(argv[1], "down")) {
		all_down(here, count);
		return 0;
	}
	if (mkdir("/run/netns", 0755) && errno != EEXIST)
		err(1, "/run/netns");
	mount("/run/netns", "/run/netns", NULL, MS_BIND, NULL);
	mount(NULL, "/run/netns", NULL, MS_SHARED, NULL);
	for (int number = 1; number <= count; number++)
		one_up(here, own, number);
	return 0;
}
