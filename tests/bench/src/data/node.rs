//! Samples like a node exporter's: 1,000 series of one machine, of the kinds and shares that a real one has (nine of ten samples are
//! whole numbers, half of the series never change), values made as the exporter makes them: ticks times their unit, so that
//! `1956.5900000000001` occurs as it does in life.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::wire::{WireSeries, write_request};
use crate::load::{LANES, Load};

/// Series of one machine.
pub(crate) const SERIES: usize = 1_000;
/// Series per request, one sample each.
pub(crate) const BATCH: usize = 2_000;

const DAY_MS: f64 = 86_400_000.0;

/// What a tick is worth.
#[derive(Debug, Clone, Copy)]
enum Unit {
    One,
    /// Of `/proc/stat`: a hundredth of a second.
    Jiffy,
    /// Of `/proc/diskstats`.
    Milli,
    /// Of `/proc/pressure`.
    Micro,
    /// Of `/proc/schedstat`.
    Nano,
}

impl Unit {
    /// As the exporter computes it, rounding errors included.
    fn value(self, ticks: f64) -> f64 {
        match self {
            Self::One => ticks,
            Self::Jiffy => ticks / 100.0,
            Self::Milli => ticks * 0.001,
            Self::Micro => ticks / 1000.0 / 1000.0,
            Self::Nano => ticks / 1e9,
        }
    }
}

/// How a series moves.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Constant(f64),
    /// Ticks per second on average by day, and how often nothing happens between two scrapes.
    Counter {
        rate: f64,
        idle: f64,
        unit: Unit,
    },
    /// A level about which it wanders by steps, in multiples of a quantum, and how often it stays.
    Gauge {
        level: f64,
        step: f64,
        quantum: f64,
        idle: f64,
    },
    /// A time that is measured anew at each scrape, about so many seconds.
    Duration(f64),
    /// The load over so many minutes, two decimals.
    Load(f64),
    /// The time at the machine.
    Clock,
}

struct Series {
    wire: WireSeries,
    shape: Shape,
    state: f64,
}

/// One machine and its exporter.
pub(crate) struct Node {
    instance: String,
    series: Vec<Series>,
    rng: StdRng,
    /// Where in the day the machine is at the epoch, so that not all are busy at once.
    phase: f64,
}

impl Node {
    pub(crate) fn new(number: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
        let phase = rng.random_range(0.0..0.15);
        let mut node = Self {
            instance: format!("10.1.{}.{}:9100", number / 200, number % 200 + 1),
            series: Vec::new(),
            rng,
            phase,
        };
        node.processors(12);
        node.disks(&["nvme0n1", "nvme1n1", "sda", "dm-0"]);
        node.filesystems(&["/", "/boot", "/boot/efi", "/run", "/var/lib/data", "/home"]);
        node.network(&["lo", "eth0", "eth1", "docker0", "cali7f1a2b3c4d5"]);
        node.memory();
        node.kernel();
        node.exporter();
        node.units();
        node.series.truncate(SERIES);
        assert_eq!(node.series.len(), SERIES, "the lists below make enough series");
        node
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], shape: Shape) {
        let instance = self.instance.clone();
        let mut all = vec![("__name__", name), ("instance", instance.as_str()), ("job", "node")];
        all.extend_from_slice(labels);
        // Machines differ: in what they count by a factor, in what they hold by where they are.
        let factor = self.rng.random_range(0.3..1.7);
        let shape = match shape {
            Shape::Counter { rate, idle, unit } => Shape::Counter { rate: rate * factor, idle, unit },
            Shape::Duration(mean) => Shape::Duration(mean * factor),
            other => other,
        };
        let state = match shape {
            // Up for some weeks.
            Shape::Counter { rate, .. } => (rate * self.rng.random_range(1e6..5e6)).round(),
            Shape::Gauge { level, quantum, .. } => (level * factor / quantum).round() * quantum,
            Shape::Load(_) => self.rng.random_range(0.2..3.0),
            Shape::Constant(_) | Shape::Duration(_) | Shape::Clock => 0.0,
        };
        self.series.push(Series { wire: WireSeries::new(&all), shape, state });
    }

    fn zero(&mut self, names: &[&str], labels: &[(&str, &str)]) {
        for name in names {
            self.add(name, labels, Shape::Constant(0.0));
        }
    }

    fn count(&mut self, names: &[(&str, f64)], labels: &[(&str, &str)], scale: f64, idle: f64) {
        for (name, rate) in names {
            self.add(name, labels, Shape::Counter { rate: rate * scale, idle, unit: Unit::One });
        }
    }

    fn processors(&mut self, cpus: usize) {
        let modes = [
            ("idle", 62.0),
            ("iowait", 0.9),
            ("irq", 0.0),
            ("nice", 0.02),
            ("softirq", 0.8),
            ("steal", 0.05),
            ("system", 7.0),
            ("user", 24.0),
        ];
        for cpu in 0..cpus {
            let cpu = cpu.to_string();
            let of_cpu = [("cpu", cpu.as_str())];
            for (mode, rate) in modes {
                let shape = if rate == 0.0 {
                    Shape::Constant(0.0)
                } else {
                    Shape::Counter { rate, idle: if rate < 0.1 { 0.8 } else { 0.0 }, unit: Unit::Jiffy }
                };
                self.add("node_cpu_seconds_total", &[of_cpu[0], ("mode", mode)], shape);
            }
            for mode in ["nice", "user"] {
                self.zero(&["node_cpu_guest_seconds_total"], &[of_cpu[0], ("mode", mode)]);
            }
            let busy = Shape::Counter { rate: 3.1e8, idle: 0.0, unit: Unit::Nano };
            self.add("node_schedstat_running_seconds_total", &of_cpu, busy);
            let waiting = Shape::Counter { rate: 9.0e6, idle: 0.0, unit: Unit::Nano };
            self.add("node_schedstat_waiting_seconds_total", &of_cpu, waiting);
            self.count(
                &[("node_schedstat_timeslices_total", 900.0), ("node_softnet_processed_total", 310.0)],
                &of_cpu,
                1.0,
                0.0,
            );
            self.count(&[("node_softnet_times_squeezed_total", 0.01)], &of_cpu, 1.0, 0.9);
            self.zero(
                &[
                    "node_softnet_backlog_len",
                    "node_softnet_cpu_collision_total",
                    "node_softnet_dropped_total",
                    "node_softnet_flow_limit_count_total",
                    "node_softnet_received_rps_total",
                ],
                &of_cpu,
            );
            let hertz = Shape::Gauge { level: 2.4e9, step: 3e7, quantum: 1000.0, idle: 0.1 };
            self.add("node_cpu_scaling_frequency_hertz", &of_cpu, hertz);
            self.add("node_cpu_scaling_frequency_max_hertz", &of_cpu, Shape::Constant(3.5e9));
            self.add("node_cpu_scaling_frequency_min_hertz", &of_cpu, Shape::Constant(8e8));
            let celsius = Shape::Gauge { level: 48.0, step: 1.0, quantum: 1.0, idle: 0.6 };
            self.add(
                "node_hwmon_temp_celsius",
                &[("chip", "platform_coretemp_0"), ("sensor", &format!("temp{cpu}"))],
                celsius,
            );
        }
    }

    fn disks(&mut self, devices: &[&str]) {
        for (i, device) in devices.iter().enumerate() {
            let (labels, scale) = ([("device", *device)], [1.0, 0.5, 0.02, 0.8][i % 4]);
            let idle = if scale < 0.1 { 0.6 } else { 0.05 };
            let counters = [
                ("node_disk_reads_completed_total", 12.0),
                ("node_disk_reads_merged_total", 0.4),
                ("node_disk_writes_completed_total", 41.0),
                ("node_disk_writes_merged_total", 18.0),
                ("node_disk_flush_requests_total", 2.0),
                ("node_disk_discards_completed_total", 0.2),
                ("node_disk_discarded_sectors_total", 90.0),
            ];
            self.count(&counters, &labels, scale, idle);
            for (name, rate) in [("node_disk_read_bytes_total", 900.0), ("node_disk_written_bytes_total", 2400.0)] {
                // Whole sectors.
                self.add(name, &labels, Shape::Counter { rate: rate * scale, idle, unit: Unit::One });
            }
            for (name, rate) in [
                ("node_disk_read_time_seconds_total", 9.0),
                ("node_disk_write_time_seconds_total", 60.0),
                ("node_disk_io_time_seconds_total", 35.0),
                ("node_disk_io_time_weighted_seconds_total", 70.0),
                ("node_disk_flush_requests_time_seconds_total", 3.0),
                ("node_disk_discard_time_seconds_total", 0.1),
            ] {
                self.add(name, &labels, Shape::Counter { rate: rate * scale, idle, unit: Unit::Milli });
            }
            self.add("node_disk_io_now", &labels, Shape::Gauge { level: 0.6, step: 1.0, quantum: 1.0, idle: 0.7 });
            self.zero(&["node_disk_discards_merged_total"], &labels);
            self.add(
                "node_disk_info",
                &[labels[0], ("major", "259"), ("minor", "0"), ("path", "pci-0000")],
                Shape::Constant(1.0),
            );
        }
    }

    fn filesystems(&mut self, mounts: &[&str]) {
        for (i, mount) in mounts.iter().enumerate() {
            let labels = [("device", "/dev/mapper/vg0"), ("fstype", "ext4"), ("mountpoint", *mount)];
            let idle = [0.1, 1.0, 1.0, 0.5, 0.0, 0.8][i % 6];
            let bytes = Shape::Gauge { level: 6.8e10, step: 2e6, quantum: 4096.0, idle };
            self.add("node_filesystem_avail_bytes", &labels, bytes);
            self.add("node_filesystem_free_bytes", &labels, bytes);
            self.add(
                "node_filesystem_files_free",
                &labels,
                Shape::Gauge { level: 1.6e7, step: 30.0, quantum: 1.0, idle },
            );
            self.add("node_filesystem_size_bytes", &labels, Shape::Constant(2.70553174016e11));
            self.add("node_filesystem_files", &labels, Shape::Constant(16_777_216.0));
            self.zero(&["node_filesystem_readonly", "node_filesystem_device_error"], &labels);
        }
    }

    fn network(&mut self, devices: &[&str]) {
        for (i, device) in devices.iter().enumerate() {
            let (labels, scale) = ([("device", *device)], [0.4, 1.0, 0.0, 0.02, 0.1][i % 5]);
            let moving = [
                ("node_network_receive_bytes_total", 4.1e5),
                ("node_network_transmit_bytes_total", 3.3e5),
                ("node_network_receive_packets_total", 610.0),
                ("node_network_transmit_packets_total", 540.0),
                ("node_network_receive_multicast_total", 0.3),
            ];
            self.count(&moving, &labels, scale, if scale == 0.0 { 1.0 } else { 0.02 });
            for direction in ["receive", "transmit"] {
                for what in ["compressed", "drop", "errs", "fifo"] {
                    self.zero(&[&format!("node_network_{direction}_{what}_total")], &labels);
                }
            }
            self.zero(
                &[
                    "node_network_receive_frame_total",
                    "node_network_receive_nohandler_total",
                    "node_network_transmit_carrier_total",
                    "node_network_transmit_colls_total",
                    "node_network_dormant",
                    "node_network_iface_link_mode",
                    "node_network_device_id",
                ],
                &labels,
            );
            for (name, value) in [
                ("node_network_up", 1.0),
                ("node_network_carrier", 1.0),
                ("node_network_carrier_changes_total", 2.0),
                ("node_network_carrier_up_changes_total", 1.0),
                ("node_network_carrier_down_changes_total", 1.0),
                ("node_network_iface_id", 2.0),
                ("node_network_iface_link", 2.0),
                ("node_network_address_assign_type", 3.0),
                ("node_network_flags", 4099.0),
                ("node_network_mtu_bytes", 1500.0),
                ("node_network_net_dev_group", 0.0),
                ("node_network_protocol_type", 1.0),
                ("node_network_speed_bytes", 1.25e9),
                ("node_network_transmit_queue_length", 1000.0),
                ("node_network_name_assign_type", 4.0),
                ("node_network_info", 1.0),
            ] {
                self.add(name, &labels, Shape::Constant(value));
            }
        }
    }

    fn memory(&mut self) {
        for (what, level, idle) in [
            ("Active", 1.9e9, 0.0),
            ("Active_anon", 1.6e6, 0.6),
            ("Active_file", 1.9e9, 0.1),
            ("AnonPages", 1.2e9, 0.0),
            ("AnonHugePages", 1.3e7, 0.9),
            ("Buffers", 5e7, 0.2),
            ("Cached", 4.8e9, 0.0),
            ("Committed_AS", 1.4e9, 0.1),
            ("Dirty", 4.5e7, 0.0),
            ("Inactive", 4.1e9, 0.0),
            ("Inactive_anon", 1.2e9, 0.0),
            ("Inactive_file", 2.9e9, 0.1),
            ("KReclaimable", 5e8, 0.1),
            ("KernelStack", 2.4e6, 0.3),
            ("Mapped", 3.9e8, 0.1),
            ("MemAvailable", 2.3e10, 0.0),
            ("MemFree", 1.8e10, 0.0),
            ("Mlocked", 1.3e7, 0.9),
            ("PageTables", 7.9e6, 0.2),
            ("SReclaimable", 5e8, 0.1),
            ("SUnreclaim", 6e7, 0.2),
            ("Shmem", 9e6, 0.8),
            ("Slab", 5.6e8, 0.0),
            ("Unevictable", 1.3e7, 0.9),
            ("VmallocUsed", 2.1e7, 0.4),
            ("Writeback", 8e4, 0.8),
        ] {
            let shape = Shape::Gauge { level, step: level * 0.004, quantum: 4096.0, idle };
            self.add(&format!("node_memory_{what}_bytes"), &[], shape);
        }
        for (what, value) in [
            ("Bounce", 0.0),
            ("CommitLimit", 1.26e10),
            ("DirectMap1G", 2.5769803776e10),
            ("DirectMap2M", 2.12e9),
            ("DirectMap4k", 2.72e7),
            ("HardwareCorrupted", 0.0),
            ("Hugepagesize", 2_097_152.0),
            ("Hugetlb", 0.0),
            ("MemTotal", 2.5276510208e10),
            ("NFS_Unstable", 0.0),
            ("Percpu", 1_662_976.0),
            ("ShmemHugePages", 0.0),
            ("ShmemPmdMapped", 0.0),
            ("SwapCached", 0.0),
            ("SwapFree", 0.0),
            ("SwapTotal", 0.0),
            ("VmallocChunk", 0.0),
            ("VmallocTotal", 3.5184372087808e13),
            ("WritebackTmp", 0.0),
            ("FileHugePages", 0.0),
            ("FilePmdMapped", 0.0),
            ("HugePages_Free", 0.0),
            ("HugePages_Total", 0.0),
        ] {
            self.add(&format!("node_memory_{what}_bytes"), &[], Shape::Constant(value));
        }
    }

    fn kernel(&mut self) {
        let busy = [
            ("node_context_switches_total", 9100.0),
            ("node_intr_total", 6800.0),
            ("node_forks_total", 4.0),
            ("node_vmstat_pgfault", 8800.0),
            ("node_vmstat_pgmajfault", 0.4),
            ("node_vmstat_pgpgin", 300.0),
            ("node_vmstat_pgpgout", 1900.0),
            ("node_netstat_Ip_Forwarding", 0.1),
            ("node_netstat_IpExt_InOctets", 4.4e5),
            ("node_netstat_IpExt_OutOctets", 3.9e5),
            ("node_netstat_Tcp_ActiveOpens", 3.0),
            ("node_netstat_Tcp_PassiveOpens", 5.0),
            ("node_netstat_Tcp_InSegs", 760.0),
            ("node_netstat_Tcp_OutSegs", 810.0),
            ("node_netstat_Udp_InDatagrams", 9.0),
            ("node_netstat_Udp_OutDatagrams", 9.0),
            ("node_netstat_Udp6_InDatagrams", 0.1),
            ("node_nf_conntrack_stat_found", 0.2),
        ];
        self.count(&busy, &[], 1.0, 0.0);
        let rare = [
            ("node_netstat_Icmp_InMsgs", 0.05),
            ("node_netstat_Icmp_OutMsgs", 0.05),
            ("node_netstat_Tcp_RetransSegs", 0.2),
            ("node_netstat_TcpExt_ListenDrops", 0.001),
            ("node_netstat_TcpExt_TCPSynRetrans", 0.02),
            ("node_netstat_TcpExt_TCPTimeouts", 0.03),
            ("node_netstat_Tcp_OutRsts", 0.3),
            ("node_netstat_Udp_NoPorts", 0.01),
        ];
        self.count(&rare, &[], 1.0, 0.5);
        let names = "node_netstat_Icmp6_InErrors node_netstat_Icmp6_InMsgs node_netstat_Icmp6_OutMsgs node_netstat_Icmp_InErrors \
             node_netstat_Ip6_InOctets node_netstat_Ip6_OutOctets node_netstat_TcpExt_ListenOverflows \
             node_netstat_TcpExt_SyncookiesFailed node_netstat_TcpExt_SyncookiesRecv node_netstat_TcpExt_SyncookiesSent \
             node_netstat_TcpExt_TCPOFOQueue node_netstat_Tcp_InErrs node_netstat_UdpLite6_InErrors node_netstat_UdpLite_InErrors \
             node_netstat_Udp_InErrors node_netstat_Udp_RcvbufErrors node_netstat_Udp_SndbufErrors node_nf_conntrack_stat_drop \
             node_nf_conntrack_stat_early_drop node_nf_conntrack_stat_ignore node_nf_conntrack_stat_insert \
             node_nf_conntrack_stat_insert_failed node_nf_conntrack_stat_invalid node_nf_conntrack_stat_search_restart \
             node_vmstat_oom_kill node_vmstat_pswpin node_vmstat_pswpout node_selinux_enabled node_sockstat_FRAG6_inuse \
             node_sockstat_FRAG6_memory node_sockstat_FRAG_inuse node_sockstat_FRAG_memory node_sockstat_RAW6_inuse \
             node_sockstat_RAW_inuse node_sockstat_TCP_orphan node_sockstat_UDP6_inuse node_sockstat_UDPLITE6_inuse \
             node_sockstat_UDPLITE_inuse node_timex_offset_seconds node_timex_pps_calibration_total node_timex_pps_error_total \
             node_timex_pps_frequency_hertz node_timex_pps_jitter_seconds node_timex_pps_jitter_total \
             node_timex_pps_shift_seconds node_timex_pps_stability_exceeded_total node_timex_pps_stability_hertz \
             node_timex_tai_offset_seconds node_time_zone_offset_seconds";
        for name in names.split_whitespace() {
            self.zero(&[name], &[]);
        }
        for (name, level, step, idle) in [
            ("node_filefd_allocated", 2200.0, 30.0, 0.1),
            ("node_sockstat_TCP_alloc", 240.0, 4.0, 0.2),
            ("node_sockstat_TCP_inuse", 210.0, 4.0, 0.2),
            ("node_sockstat_TCP_mem", 188.0, 6.0, 0.5),
            ("node_sockstat_TCP_tw", 90.0, 9.0, 0.1),
            ("node_sockstat_UDP_inuse", 8.0, 1.0, 0.9),
            ("node_sockstat_sockets_used", 330.0, 5.0, 0.2),
            ("node_nf_conntrack_entries", 800.0, 20.0, 0.1),
            ("node_procs_running", 3.0, 2.0, 0.2),
            ("node_procs_blocked", 0.2, 1.0, 0.8),
            ("node_arp_entries", 12.0, 1.0, 0.95),
            ("node_netstat_Tcp_CurrEstab", 120.0, 4.0, 0.2),
        ] {
            self.add(name, &[], Shape::Gauge { level, step, quantum: 1.0, idle });
        }
        for (name, value) in [
            ("node_filefd_maximum", 2_466_186.0),
            ("node_entropy_available_bits", 256.0),
            ("node_entropy_pool_size_bits", 256.0),
            ("node_boot_time_seconds", 1_795_396_598.0),
            ("node_nf_conntrack_entries_limit", 262_144.0),
            ("node_timex_estimated_error_seconds", 16.0),
            ("node_timex_frequency_adjustment_ratio", 1.000_012_345),
            ("node_timex_loop_time_constant", 2.0),
            ("node_timex_maxerror_seconds", 16.0),
            ("node_timex_status", 64.0),
            ("node_timex_sync_status", 1.0),
            ("node_timex_tick_seconds", 0.01),
            ("node_os_version", 12.0),
        ] {
            self.add(name, &[], Shape::Constant(value));
        }
        let host = format!("host-{}", self.instance.replace(['.', ':'], "-"));
        let info = [("nodename", host.as_str()), ("release", "6.12.0-amd64"), ("sysname", "Linux")];
        self.add("node_uname_info", &info, Shape::Constant(1.0));
        for (name, minutes) in [("node_load1", 1.0), ("node_load5", 5.0), ("node_load15", 15.0)] {
            self.add(name, &[], Shape::Load(minutes));
        }
        for (what, rate, idle) in [
            ("cpu_waiting", 2.1e5, 0.0),
            ("io_stalled", 900.0, 0.6),
            ("io_waiting", 3000.0, 0.2),
            ("memory_stalled", 0.0, 1.0),
            ("memory_waiting", 0.0, 1.0),
        ] {
            let shape = Shape::Counter { rate, idle, unit: Unit::Micro };
            self.add(&format!("node_pressure_{what}_seconds_total"), &[], shape);
        }
        self.add("node_time_seconds", &[], Shape::Clock);
    }

    fn exporter(&mut self) {
        for i in 0..48 {
            let collector = format!("collector{i}");
            let labels = [("collector", collector.as_str())];
            self.add("node_scrape_collector_duration_seconds", &labels, Shape::Duration(0.0004));
            self.add("node_scrape_collector_success", &labels, Shape::Constant(1.0));
        }
        self.add("scrape_duration_seconds", &[], Shape::Duration(0.04));
        for (name, value) in [
            ("up", 1.0),
            ("scrape_samples_scraped", 996.0),
            ("scrape_series_added", 0.0),
            ("scrape_samples_post_metric_relabeling", 996.0),
            ("process_max_fds", 524_287.0),
            ("process_start_time_seconds", 1_795_398_391.57),
            ("go_gc_gogc_percent", 100.0),
            ("process_virtual_memory_max_bytes", 1.844_674_407_370_955_2e19),
            ("go_gc_gomemlimit_bytes", 9.223_372_036_854_776e18),
        ] {
            self.add(name, &[], Shape::Constant(value));
        }
        for quantile in ["0", "0.25", "0.5", "0.75", "1"] {
            self.add("go_gc_duration_seconds", &[("quantile", quantile)], Shape::Duration(0.00006));
        }
        for (name, level, idle) in [
            ("go_memstats_alloc_bytes", 4e6, 0.0),
            ("go_memstats_heap_alloc_bytes", 4e6, 0.0),
            ("go_memstats_heap_idle_bytes", 8e6, 0.3),
            ("go_memstats_heap_inuse_bytes", 6e6, 0.2),
            ("go_memstats_heap_released_bytes", 5e6, 0.6),
            ("go_memstats_stack_inuse_bytes", 9e5, 0.7),
            ("process_resident_memory_bytes", 2.4e7, 0.6),
        ] {
            self.add(name, &[], Shape::Gauge { level, step: level * 0.05, quantum: 8.0, idle });
        }
        self.add("go_goroutines", &[], Shape::Gauge { level: 8.0, step: 1.0, quantum: 1.0, idle: 0.9 });
        self.add("process_open_fds", &[], Shape::Gauge { level: 10.0, step: 1.0, quantum: 1.0, idle: 0.9 });
        let counters = [
            ("go_memstats_alloc_bytes_total", 2.1e5),
            ("go_memstats_mallocs_total", 900.0),
            ("go_memstats_frees_total", 900.0),
            ("promhttp_metric_handler_requests_total", 0.067),
            ("process_network_receive_bytes_total", 120.0),
        ];
        self.count(&counters, &[], 1.0, 0.0);
        self.add("process_cpu_seconds_total", &[], Shape::Counter { rate: 0.9, idle: 0.3, unit: Unit::Jiffy });
    }

    /// One-hot states of services: what most machines have most of.
    fn units(&mut self) {
        for unit in 0..60 {
            let name = format!("service-{unit:02}.service");
            for state in ["activating", "active", "deactivating", "failed", "inactive"] {
                let on = f64::from(state == if unit % 3 == 0 { "inactive" } else { "active" });
                self.add(
                    "node_systemd_unit_state",
                    &[("name", &name), ("state", state), ("type", "simple")],
                    Shape::Constant(on),
                );
            }
        }
    }

    /// One scrape at a time, which lies `step_ms` after the last: a value for every series.
    pub(crate) fn scrape(&mut self, time_ms: i64, step_ms: i64, mut each: impl FnMut(&WireSeries, f64)) {
        let seconds = step_ms as f64 / 1000.0;
        // Quiet nights, busy afternoons.
        let day = (time_ms as f64 / DAY_MS + self.phase).fract();
        let rhythm = 1.0 - 0.7 * (day * std::f64::consts::TAU).cos();
        let rng = &mut self.rng;
        for series in &mut self.series {
            let value = match series.shape {
                Shape::Constant(value) => value,
                Shape::Counter { rate, idle, unit } => {
                    if rng.random::<f64>() >= idle {
                        let busy = if idle < 1.0 { rate * seconds * rhythm / (1.0 - idle) } else { 0.0 };
                        series.state += (busy * rng.random_range(0.6..1.4) + rng.random::<f64>()).floor();
                    }
                    unit.value(series.state)
                }
                Shape::Gauge { level, step, quantum, idle } => {
                    if rng.random::<f64>() >= idle {
                        let pull = (level * rhythm.sqrt() - series.state) * 0.02;
                        let moved = series.state + pull + step * (rng.random::<f64>() - 0.5) * 2.0;
                        series.state = ((moved / quantum).round() * quantum).max(0.0);
                    }
                    series.state
                }
                Shape::Duration(mean) => {
                    let slow = if rng.random::<f64>() < 0.02 { 6.0 } else { 1.0 };
                    (mean * slow * rng.random_range(0.6..1.9) * 1e9).round() / 1e9
                }
                Shape::Load(minutes) => {
                    let keep = (-seconds / 60.0 / minutes).exp();
                    series.state = series.state * keep + (1.0 - keep) * rhythm * rng.random_range(0.0..4.0);
                    (series.state * 100.0).round() / 100.0
                }
                Shape::Clock => time_ms as f64 / 1000.0 + (rng.random_range(0.0..0.01_f64) * 1e9).round() / 1e9,
            };
            each(&series.wire, value);
        }
    }
}

/// The load of `nodes` machines, scraped `scrapes` times, `step_ms` apart, until `end_ms`: requests of [`BATCH`] series with one sample
/// each, every series always on the same connection.
pub(crate) fn load(nodes: usize, scrapes: usize, step_ms: i64, end_ms: i64, seed: u64) -> anyhow::Result<Load> {
    let mut machines: Vec<Node> = (0..nodes).map(|n| Node::new(n, seed)).collect();
    let mut rng = StdRng::seed_from_u64(seed);
    let per_request = (BATCH / SERIES).max(1);
    let mut load = Load::new();
    for scrape in 0..scrapes {
        let due = end_ms - (scrapes - 1 - scrape) as i64 * step_ms;
        for (group, machines) in machines.chunks_mut(per_request).enumerate() {
            let mut rows: Vec<(WireSeries, [(i64, f64); 1])> = Vec::with_capacity(BATCH);
            for machine in machines {
                // A scraper keeps its beat, but for some milliseconds now and then.
                let late = if rng.random::<f64>() < 0.05 { rng.random_range(1..6) } else { 0 };
                machine.scrape(due, step_ms, |series, value| rows.push((series.clone(), [(due + late, value)])));
            }
            load.items += rows.len() as u64;
            load.lanes[group % LANES].push(write_request(rows.iter().map(|(s, v)| (s, &v[..])))?);
        }
    }
    Ok(load)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares that were counted in a recording of a real exporter: nine of ten samples are whole, half never change.
    #[test]
    fn values_are_like_a_real_exporters() {
        let mut node = Node::new(0, 1);
        let mut scrapes: Vec<Vec<f64>> = Vec::new();
        for i in 0..100 {
            let mut values = Vec::new();
            node.scrape(1_700_000_000_000 + i * 15_000, 15_000, |_, value| values.push(value));
            scrapes.push(values);
        }
        let whole = scrapes.iter().flatten().filter(|v| v.fract() == 0.0).count() as f64 / (100 * SERIES) as f64;
        let still = (0..SERIES).filter(|s| scrapes.iter().all(|v| v[*s] == scrapes[0][*s])).count();
        assert!((0.70..0.95).contains(&whole), "{whole} of the samples are whole");
        assert!((400..700).contains(&still), "{still} series never change");
    }
}
