#!/bin/sh
# Runs whenever a package has put an executor in place or taken one away, this one's own installation included.

for name in vrf bridge veth; do
	executor=/usr/libexec/ifupdown-ng/$name
	if [ "$(readlink "$executor")" = ifupdown-ng-netlink ]; then
		continue
	elif [ -e "$executor" ]; then
		# The stock one, just installed or upgraded.
		mv -f "$executor" "$executor.ifupdown-ng"
	else
		# Where its package has been removed, the link went with it.
		rm -f "$executor.ifupdown-ng"
	fi
	ln -s ifupdown-ng-netlink "$executor"
done

exit 0
