/*
 * trunks up PORTS TRUNKS FIRST LAST: a VLAN-aware bridge with the links p1 to pPORTS as ports. The first TRUNKS of them
 * have the VLANs FIRST to LAST, each other port only that of its own number.
 * trunks remove PORT VID: one VLAN less. trunks down: deletes the bridge.
 *
 * By raw netlink messages: the minimum cost of what `ifnetlink apply` does.
 */
#include <linux/if_bridge.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "netlink.h"

static int fd;

static void vlans(int type, int index, int first, int last, int flags)
{
	struct ifinfomsg link = { .ifi_family = AF_BRIDGE, .ifi_index = index };
	struct bridge_vlan_info vlan = { .vid = first, .flags = flags };
	begin(type, 0, &link, sizeof link);
	struct rtattr *spec = add(IFLA_AF_SPEC, NULL, 0);
	if (first != last)
		vlan.flags |= BRIDGE_VLAN_INFO_RANGE_BEGIN;
	add(IFLA_BRIDGE_VLAN_INFO, &vlan, sizeof vlan);
	if (first != last) {
		vlan.vid = last;
		vlan.flags = flags | BRIDGE_VLAN_INFO_RANGE_END;
		add(IFLA_BRIDGE_VLAN_INFO, &vlan, sizeof vlan);
	}
	end(spec);
	make(fd, "vlans");
}

static void up(int index, int master)
{
	struct ifinfomsg link = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	begin(RTM_NEWLINK, 0, &link, sizeof link);
	if (master)
		add(IFLA_MASTER, &master, sizeof master);
	make(fd, "up");
}

static void all_up(int ports, int trunks, int first, int last)
{
	struct ifinfomsg link = { 0 };
	unsigned char on = 1;
	unsigned delay = 0;
	char name[16];
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	add(IFLA_IFNAME, "br0", 4);
	struct rtattr *info = add(IFLA_LINKINFO, NULL, 0);
	add(IFLA_INFO_KIND, "bridge", 6);
	struct rtattr *data = add(IFLA_INFO_DATA, NULL, 0);
	add(IFLA_BR_VLAN_FILTERING, &on, 1);
	add(IFLA_BR_FORWARD_DELAY, &delay, sizeof delay);
	end(data);
	end(info);
	make(fd, "bridge");
	int bridge = if_nametoindex("br0");
	/* The VLANs last: a bridge that goes up, and a port that joins, takes longer where others have VLANs. */
	up(bridge, 0);
	for (int number = 1; number <= ports; number++) {
		sprintf(name, "p%d", number);
		up(if_nametoindex(name), bridge);
	}
	for (int number = 1; number <= ports; number++) {
		sprintf(name, "p%d", number);
		int port = if_nametoindex(name);
		if (number <= trunks) {
			vlans(RTM_SETLINK, port, first, last, 0);
		} else {
			vlans(RTM_SETLINK, port, number, number, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
			vlans(RTM_DELLINK, port, 1, 1, 0);
		}
	}
}

int main(int argc, char **argv)
{
	struct ifinfomsg link = { 0 };
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (argc == 6 && !strcmp(argv[1], "up")) {
		all_up(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
	} else if (argc == 4 && !strcmp(argv[1], "remove")) {
		vlans(RTM_DELLINK, if_nametoindex(argv[2]), atoi(argv[3]), atoi(argv[3]), 0);
	} else if (argc == 2 && !strcmp(argv[1], "down")) {
		begin(RTM_DELLINK, 0, &link, sizeof link);
		add(IFLA_IFNAME, "br0", 4);
		make(fd, "delete");
	} else {
		return 2;
	}
	return 0;
}
