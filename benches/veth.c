/*
 * veth NAME PEER: creates a pair by one raw netlink message and reads the answer: the minimum cost of a pair.
 */
#include "netlink.h"

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	begin_pair(argv[1], argv[2], -1);
	return talk(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)) != 0;
}
