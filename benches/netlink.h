/*
 * Builds a request to route netlink, in a buffer of its own. For the programs here that show the minimum cost of a change.
 */
#include <err.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

static struct {
	struct nlmsghdr header;
	char rest[1024];
} request;

static void begin(int type, int flags, const void *head, size_t length)
{
	request.header = (struct nlmsghdr){ NLMSG_LENGTH(length), type, NLM_F_REQUEST | NLM_F_ACK | flags, request.header.nlmsg_seq + 1, 0 };
	memcpy(NLMSG_DATA(&request.header), head, length);
}

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

/* A new veth pair. The other end is in a namespace, an open file, unless that is negative. */
static inline void begin_pair(const char *name, const char *peer, int netns)
{
	struct ifinfomsg link = { 0 };
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	add(IFLA_IFNAME, name, strlen(name) + 1);
	struct rtattr *info = add(IFLA_LINKINFO, NULL, 0);
	add(IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = add(IFLA_INFO_DATA, NULL, 0);
	struct rtattr *other = add(VETH_INFO_PEER, &link, sizeof link);
	add(IFLA_IFNAME, peer, strlen(peer) + 1);
	if (netns >= 0)
		add(IFLA_NET_NS_FD, &netns, sizeof netns);
	end(other);
	end(data);
	end(info);
}

/* Sends the request and waits for the answer: 0 or a positive error number, -1 if there is none. */
static int talk(int fd)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1024];
	} answer;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	if (sendto(fd, &request, request.header.nlmsg_len, 0, (void *)&kernel, sizeof kernel) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
		return -1;
	return -answer.error.error;
}

/* The same, and ends the program if the kernel refuses. */
static inline void make(int fd, const char *what)
{
	int error = talk(fd);
	if (error > 0)
		errno = error;
	if (error)
		err(1, "%s", what);
}

/* Puts a link in a group. */
static inline void put_in_group(int fd, const char *name, unsigned group)
{
	struct ifinfomsg link = { 0 };
	begin(RTM_SETLINK, 0, &link, sizeof link);
	add(IFLA_IFNAME, name, strlen(name) + 1);
	add(IFLA_GROUP, &group, sizeof group);
	make(fd, "group");
}

/* Deletes all links of a group: the kernel waits once. */
static inline void delete_group(int fd, unsigned group)
{
	struct ifinfomsg link = { 0 };
	begin(RTM_DELLINK, 0, &link, sizeof link);
	add(IFLA_GROUP, &group, sizeof group);
	make(fd, "delete");
}
