// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stand-in for PF_RING in tests: its name, its parameters, its files below
 * /proc/net/pf_ring in each network namespace, and sockets of its family that
 * hold the module and show up as rings. It captures nothing.
 *
 * RING_VERSION is the version; RING_UNDEFINED calls a function that no kernel
 * has.
 */
#include <linux/delay.h>
#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>

#define FAMILY 27

#define PARAMETER(name, value, text) \
	static unsigned int name = value; \
	module_param(name, uint, 0644); \
	MODULE_PARM_DESC(name, text)

PARAMETER(min_num_slots, 4096, "Slots of a ring");
PARAMETER(perfect_rules_hash_size, 4096, "Size of the hash of perfect rules");
PARAMETER(enable_tx_capture, 1, "Capture outgoing packets");
PARAMETER(enable_frag_coherence, 1, "Keep fragments together");
PARAMETER(enable_ip_defrag, 0, "Put fragments together");
PARAMETER(quick_mode, 0, "Quick mode");
PARAMETER(force_ring_lock, 0, "Lock rings always");
PARAMETER(enable_debug, 0, "Debug messages");
PARAMETER(transparent_mode, 0, "Transparent mode");
PARAMETER(keep_vlan_offload, 0, "Keep VLAN offloading");
PARAMETER(test_delay_ms, 0, "Test: how long loading takes, in milliseconds");
PARAMETER(test_exit_delay_ms, 0, "Test: how long unloading takes, in milliseconds");
PARAMETER(test_errno, 0, "Test: the error that loading ends with");
PARAMETER(test_no_info, 0, "Test: leave /proc/net/pf_ring/info out");

struct ring_net {
	struct proc_dir_entry *dir;
	unsigned int rings;
};

struct ring {
	struct sock sk; /* must be first */
	struct proc_dir_entry *file;
};

static unsigned int net_id;
static atomic_t serial = ATOMIC_INIT(0);

static int info_show(struct seq_file *m, void *v)
{
	struct ring_net *rn = net_generic(seq_file_single_net(m), net_id);

	seq_printf(m, "PF_RING Version          : %s ($Revision: test$)\n", RING_VERSION);
	seq_printf(m, "Total rings              : %u\n\n", rn->rings);
	seq_puts(m, "Standard (non ZC) Options\n");
	seq_printf(m, "Ring slots               : %u\n", min_num_slots);
	seq_puts(m, "Slot version             : 18\n");
	seq_printf(m, "Capture TX               : %s\n", enable_tx_capture ? "Yes [RX+TX]" : "No [RX only]");
	return 0;
}

static int ring_show(struct seq_file *m, void *v)
{
	seq_puts(m, "Bound Device(s)        : lo\n");
	seq_puts(m, "Active                 : 1\n");
	seq_puts(m, "Appl. Name             : test\n");
	/* As in PF_RING, the lost packets are among these. */
	seq_puts(m, "Tot Packets            : 1234\n");
	seq_puts(m, "Tot Pkt Lost           : 5\n");
	return 0;
}

static struct proto ring_proto = {
	.name = "PF_RING",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct ring),
};

static int ring_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct ring_net *rn;

	if (!sk)
		return 0;
	rn = net_generic(sock_net(sk), net_id);
	proc_remove(((struct ring *)sk)->file);
	rn->rings--;
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return 0;
}

static const struct proto_ops ring_ops = {
	.family = FAMILY,
	.owner = THIS_MODULE,
	.release = ring_release,
	.bind = sock_no_bind,
	.connect = sock_no_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = sock_no_getname,
	.ioctl = sock_no_ioctl,
	.listen = sock_no_listen,
	.shutdown = sock_no_shutdown,
	.sendmsg = sock_no_sendmsg,
	.recvmsg = sock_no_recvmsg,
	.mmap = sock_no_mmap,
};

static int ring_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	struct ring_net *rn = net_generic(net, net_id);
	struct sock *sk;
	char name[32];

	if (sock->type != SOCK_RAW)
		return -ESOCKTNOSUPPORT;
	if (protocol != htons(ETH_P_ALL))
		return -EPROTONOSUPPORT;
	sk = sk_alloc(net, FAMILY, GFP_KERNEL, &ring_proto, kern);
	if (!sk)
		return -ENOMEM;
	sock->ops = &ring_ops;
	sock_init_data(sock, sk);
	snprintf(name, sizeof(name), "%d-lo.%d", current->pid, atomic_inc_return(&serial));
	((struct ring *)sk)->file = proc_create_single_data(name, 0444, rn->dir, ring_show, NULL);
	rn->rings++;
	return 0;
}

static const struct net_proto_family ring_family = {
	.family = FAMILY,
	.create = ring_create,
	.owner = THIS_MODULE,
};

static int __net_init ring_net_init(struct net *net)
{
	struct ring_net *rn = net_generic(net, net_id);

	rn->dir = proc_net_mkdir(net, "pf_ring", net->proc_net);
	if (!rn->dir)
		return -ENOMEM;
	if (!test_no_info)
		proc_create_net_single("info", 0444, rn->dir, info_show, NULL);
	return 0;
}

static void __net_exit ring_net_exit(struct net *net)
{
	struct ring_net *rn = net_generic(net, net_id);

	proc_remove(rn->dir);
}

static struct pernet_operations ring_net_ops = {
	.init = ring_net_init,
	.exit = ring_net_exit,
	.id = &net_id,
	.size = sizeof(struct ring_net),
};

#ifdef RING_UNDEFINED
void pf_ring_test_no_such_function(void);
#endif

static int __init ring_init(void)
{
	int err;

#ifdef RING_UNDEFINED
	pf_ring_test_no_such_function();
#endif
	if (test_delay_ms)
		msleep(test_delay_ms);
	if (test_errno) {
		pr_err("[PF_RING] initialization failed as asked for (%u)\n", test_errno);
		return -(int)test_errno;
	}
	err = proto_register(&ring_proto, 1);
	if (err)
		return err;
	err = register_pernet_subsys(&ring_net_ops);
	if (err)
		goto no_net;
	err = sock_register(&ring_family);
	if (err)
		goto no_family;
	return 0;
no_family:
	unregister_pernet_subsys(&ring_net_ops);
no_net:
	proto_unregister(&ring_proto);
	return err;
}

static void __exit ring_exit(void)
{
	if (test_exit_delay_ms)
		msleep(test_exit_delay_ms);
	sock_unregister(FAMILY);
	unregister_pernet_subsys(&ring_net_ops);
	proto_unregister(&ring_proto);
}

module_init(ring_init);
module_exit(ring_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Stand-in for PF_RING in tests");
MODULE_VERSION(RING_VERSION);
MODULE_ALIAS_NETPROTO(FAMILY);
