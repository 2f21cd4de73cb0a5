/*
 * idle: replaces one of our executors and does nothing, except in `depend`: there it prints the same interfaces as
 * ours, so that ifupdown-ng does the same work with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *value(const char *variable)
{
	const char *text = getenv(variable);
	return text && strcmp(text, "none") != 0 ? text : "";
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "";
	const char *phase = getenv("PHASE"), *first = "", *second = "";
	if (strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	if (!phase || strcmp(phase, "depend") != 0)
		return 0;
	if (strcmp(name, "vrf") == 0 || strcmp(name, "vrf-table") == 0) {
		first = value("IF_VRF_MEMBER");
		second = value("IF_VRF");
	} else if (strcmp(name, "bridge") == 0 || strcmp(name, "bridge-vlan") == 0) {
		first = value("IF_BRIDGE_MEMBER");
		if (!*first && strcmp(name, "bridge") == 0)
			first = value("IF_BRIDGE_PORTS");
	} else if (strcmp(name, "veth") == 0 || strcmp(name, "veth-peer") == 0) {
		if (!getenv("IF_VETH_PEER_NETNS"))
			first = value("IF_VETH_PEER_MASTER");
	}
	if (*first || *second)
		printf("%s %s\n", first, second);
	return 0;
}
