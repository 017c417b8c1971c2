# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# Completion for bash: commands and keys as the programs' own --help has them, ports as the switch does.
# shellcheck shell=bash

_vhost_switch_ctl_commands()
{
	vhost-switch-ctl --help 2>/dev/null | sed -n '/^Commands:/,$s/^  \([a-z][a-z]*\)\( .*\)\{0,1\}$/\1/p'
}

_vhost_switch_ctl_keys()
{
	vhost-switch --help 2>/dev/null | sed -n '/^Settings of --port/,$s/^  \([a-z-]*=\).*/\1/p'
}

# Of ports: show. Of guests and the uplink: stats.
_vhost_switch_ctl_names()
{
	vhost-switch-ctl -j "$1" 2>/dev/null | sed -n 's/^      "name": "\(.*\)",\{0,1\}$/\1/p'
}

_vhost_switch_ctl()
{
	local word=${COMP_WORDS[COMP_CWORD]} command='' i words=''

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket | --count) ((i++)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	COMPREPLY=()
	case $command in
	'') words="$(_vhost_switch_ctl_commands) --json --socket --count --dry-run --help --version" ;;
	show | del) words=$(_vhost_switch_ctl_names show) ;;
	stats) words=$(_vhost_switch_ctl_names stats) ;;
	set)
		case $((COMP_CWORD - i)) in
		1) words=$(_vhost_switch_ctl_names show) ;;
		2) words="$(_vhost_switch_ctl_keys) worker=" ;;
		*) words=$(_vhost_switch_ctl_keys) ;;
		esac ;;
	add) ((COMP_CWORD == i + 1)) || words=$(_vhost_switch_ctl_keys) ;;
	fdb)
		case $((COMP_CWORD - i)) in
		1) words='show add del flush' ;;
		*) words=$(_vhost_switch_ctl_names stats) ;;
		esac ;;
	explain) words='from= to= vlan= source=' ;;
	workers)
		case $((COMP_CWORD - i)) in
		1) words='move rebalance' ;;
		*) words=$(_vhost_switch_ctl_names show) ;;
		esac ;;
	metrics) words='openmetrics prometheus' ;;
	log) words='error warning notice info debug' ;;
	apply) compopt -o default; return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace
}

complete -F _vhost_switch_ctl vhost-switch-ctl
