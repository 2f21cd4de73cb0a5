/*
 * trunks up|down: a VLAN-aware bridge with the links p1 to p48 as ports: four trunks with the VLANs 2 to 4094, and 44
 * ports of one VLAN, by raw netlink messages: the minimum cost of what `ifnetlink apply` does.
 */
#include <linux/if_bridge.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "netlink.h"

static int fd;

static void vlans(int index, int first, int last, int flags)
{
	struct ifinfomsg link = { .ifi_family = AF_BRIDGE, .ifi_index = index };
	struct bridge_vlan_info vlan = { .vid = first, .flags = flags };
	begin(RTM_SETLINK, 0, &link, sizeof link);
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

int main(int argc, char **argv)
{
	struct ifinfomsg link = { 0 };
	unsigned char on = 1;
	unsigned delay = 0;
	char name[16];
	if (argc != 2)
		return 2;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (!strcmp(argv[1], "down")) {
		begin(RTM_DELLINK, 0, &link, sizeof link);
		add(IFLA_IFNAME, "br0", 4);
		make(fd, "delete");
		return 0;
	}
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
	for (int number = 1; number <= 48; number++) {
		sprintf(name, "p%d", number);
		int port = if_nametoindex(name);
		up(port, bridge);
		if (number <= 4)
			vlans(port, 2, 4094, 0);
		else
			vlans(port, number, number, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
	}
	up(bridge, 0);
	return 0;
}
