# What the preload layer alone stops: every way out that leads through the libc. That each works bare is shown by escapes.sh.

. "$ROOT/tests/escapes/escapes.sh"

# What is no call of the libc's that the library judges (docs/escapes.md): sockets of other families and raw ones, what other processes are
# made to do, services that are internal to it, and programs that are not covered. --sandbox=require stops it.
PAST_THE_LIBC=" packet_socket raw_socket raw_socket_v6 ping_socket vsock_socket sctp_socket dccp_socket udplite_socket
smc_socket tipc_socket xdp_socket kernel_crypto_socket netfilter_netlink_socket tcp_repair terminal_input bpf_map name_looked_up_by_the_kernels_keys ptrace_outside
signal_outside write_memory_outside open_memory_outside take_a_socket_from_outside unix_socket_outside abstract_socket_outside
unix_socket_outside_by_a_link signal_outside_by_thread signal_outside_by_pidfd signal_outside_queued ptrace_outside_stopped
read_memory_outside socket_sent_from_outside pair_of_other_sockets resolved_service nscd_service notify_service second_supervisor connection_inherited static_program static_program_from_a_memory_file
static_program_in_the_background program_of_another_user connect_of_the_libc_by_dlsym
connect_of_the_libc_by_dlvsym connect_found_in_the_symbol_table
connect_by_instruction supervisor_killed system_call_of_i386 system_call_of_x32 loader_called_directly "

preload_holds() {
	local program name escaped=0 held=0
	. "$ROOT/tests/escapes/preload.sh"
	start_world
	allowed_passes preload
	list_attempts >"$T/attempts"
	while read -r program name <&3; do
		[[ " ${PAST_THE_LIBC//$'\n'/ } " != *" $name "* ]] || continue
		if try_one preload "$program" "$name"; then
			echo "ESCAPED: $name"
			escaped=$((escaped + 1))
		else
			held=$((held + 1))
		fi
	done 3<"$T/attempts"
	echo "$held held, $escaped escaped"
	[ "$held" -ge 50 ] || fail "too few attempts for the test to mean anything"
	[ "$escaped" = 0 ] || fail "something got out"
}

test_no_way_out_that_leads_through_the_libc_passes_the_preload_layer() { # limit=300
	need_library
	need ip python3 gcc
	in_network_with_names $'203.0.113.53 server.example\n198.51.100.1 good.example' preload_holds
}
