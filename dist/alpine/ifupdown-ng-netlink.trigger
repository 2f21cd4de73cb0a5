#!/bin/sh
# Runs when a package has installed or removed an executor, also when this package is installed.

for name in vrf bridge veth; do
	executor=/usr/libexec/ifupdown-ng/$name
	if [ "$(readlink "$executor")" = ifupdown-ng-netlink ]; then
		continue
	elif [ -e "$executor" ]; then
		# The stock executor, just installed or upgraded.
		mv -f "$executor" "$executor.ifupdown-ng"
	else
		# The package of the stock executor was removed, and our link with it.
		rm -f "$executor.ifupdown-ng"
	fi
	ln -s ifupdown-ng-netlink "$executor"
done

exit 0
