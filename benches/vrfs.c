/*
 * vrfs up|down COUNT: COUNT VRFs, each with a dummy link as its member, and the order of the routing rules that isolates
 * them, by raw netlink messages: the minimum cost of what `ifnetlink apply` does. `down` restores the rules.
 */
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "netlink.h"

#define GROUP 0x76726673

static int fd;

static void link_up(const char *name, int master)
{
	struct ifinfomsg up = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	begin(RTM_SETLINK, 0, &up, sizeof up);
	add(IFLA_IFNAME, name, strlen(name) + 1);
	if (master)
		add(IFLA_MASTER, &master, sizeof master);
	make(fd, "up");
}

static void one_up(int number)
{
	struct ifinfomsg link = { 0 };
	unsigned table = 1000 + number;
	char name[32];
	sprintf(name, "v%d", number);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	add(IFLA_IFNAME, name, strlen(name) + 1);
	struct rtattr *info = add(IFLA_LINKINFO, NULL, 0);
	add(IFLA_INFO_KIND, "vrf", 3);
	struct rtattr *data = add(IFLA_INFO_DATA, NULL, 0);
	add(IFLA_VRF_TABLE, &table, sizeof table);
	end(data);
	end(info);
	make(fd, "vrf");
	link_up(name, 0);
	int master = if_nametoindex(name);
	sprintf(name, "d%d", number);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	add(IFLA_IFNAME, name, strlen(name) + 1);
	info = add(IFLA_LINKINFO, NULL, 0);
	add(IFLA_INFO_KIND, "dummy", 5);
	end(info);
	make(fd, "dummy");
	link_up(name, master);
}

static void rule(int type, int family, unsigned priority, int table, int action)
{
	struct fib_rule_hdr head = { .family = family, .table = table, .action = action };
	unsigned char l3mdev = 1, protocol = priority ? 73 : RTPROT_KERNEL;
	begin(type, type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0, &head, sizeof head);
	add(FRA_PRIORITY, &priority, sizeof priority);
	if (!table)
		add(FRA_L3MDEV, &l3mdev, 1);
	if (type == RTM_NEWRULE)
		add(FRA_PROTOCOL, &protocol, 1);
	make(fd, "rule");
}

static void rules(int to)
{
	int families[] = { AF_INET, AF_INET6 };
	for (int i = 0; i < 2; i++) {
		if (to) {
			rule(RTM_NEWRULE, families[i], 2000, 0, FR_ACT_UNREACHABLE);
			rule(RTM_NEWRULE, families[i], 32765, RT_TABLE_LOCAL, FR_ACT_TO_TBL);
			rule(RTM_DELRULE, families[i], 0, RT_TABLE_LOCAL, FR_ACT_TO_TBL);
		} else {
			rule(RTM_NEWRULE, families[i], 0, RT_TABLE_LOCAL, FR_ACT_TO_TBL);
			rule(RTM_DELRULE, families[i], 32765, RT_TABLE_LOCAL, FR_ACT_TO_TBL);
			rule(RTM_DELRULE, families[i], 2000, 0, FR_ACT_UNREACHABLE);
		}
	}
}

static void all_down(int count)
{
	char name[32];
	for (int number = 1; number <= 2 * count; number++) {
		sprintf(name, number <= count ? "v%d" : "d%d", number <= count ? number : number - count);
		put_in_group(fd, name, GROUP);
	}
	delete_group(fd, GROUP);
	rules(0);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int count = atoi(argv[2]);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (!strcmp(argv[1], "down")) {
		all_down(count);
		return 0;
	}
	for (int number = 1; number <= count; number++) {
		one_up(number);
		if (number == 1)
			rules(1);
	}
	return 0;
}
