/*
 * veth NAME PEER: creates a pair by one raw netlink message and reads the answer: the minimum cost of a pair.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[512];
} request;

static struct rtattr *add(int kind, const void *value, size_t length)
{
	struct rtattr *attribute = (void *)((char *)&request + NLMSG_ALIGN(request.header.nlmsg_len));
	attribute->rta_type = kind;
	attribute->rta_len = RTA_LENGTH(length);
	if (value)
		memcpy(RTA_DATA(attribute), value, length);
	request.header.nlmsg_len = NLMSG_ALIGN(request.header.nlmsg_len) + RTA_SPACE(length);
	return attribute;
}

static void end(struct rtattr *nest)
{
	nest->rta_len = (char *)&request + request.header.nlmsg_len - (char *)nest;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	request.header = (struct nlmsghdr){ NLMSG_LENGTH(sizeof request.link), RTM_NEWLINK,
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0 };
	add(IFLA_IFNAME, argv[1], strlen(argv[1]) + 1);
	struct rtattr *info = add(IFLA_LINKINFO, NULL, 0);
	add(IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = add(IFLA_INFO_DATA, NULL, 0);
	struct rtattr *peer = add(VETH_INFO_PEER, &(struct ifinfomsg){ 0 }, sizeof(struct ifinfomsg));
	add(IFLA_IFNAME, argv[2], strlen(argv[2]) + 1);
	end(peer);
	end(data);
	end(info);
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	if (sendto(fd, &request, request.header.nlmsg_len, 0, (void *)&kernel, sizeof kernel) < 0)
		return 1;
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	return recv(fd, &answer, sizeof answer, 0) < 0 || answer.error.error != 0;
}
