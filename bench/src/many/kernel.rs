//! The memory that the kernel has in use, from proc(5).
//!
//! The figures are those of the whole system: both ends of each connection over loopback, and
//! everything else that runs. One thing that other programs cause grows with the crowd, too: a
//! monitor that lists the descriptors of all processes makes the kernel keep an inode and a name
//! in `/proc` for each of them (1.8 kB for the two ends of a connection). That is subtracted, as
//! far as this program may see it.

use std::collections::BTreeMap;

use serde::Serialize;

/// One reading.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    /// What it uses for its own objects, for the kernel stacks of threads, and for page tables, in
    /// bytes (`Slab`, `KernelStack`, `PageTables` of proc_meminfo(5)).
    pub(super) bytes: u64,
    /// What TCP has set aside for bytes under way, in bytes (`mem` of `/proc/net/sockstat`). Parts
    /// of it may be counted above, too.
    pub(super) under_way: u64,
    /// How many objects of each kind there are (proc_slabinfo(5)). Empty where only root may read
    /// that.
    pub(super) objects: BTreeMap<String, Objects>,
}

/// Objects of one kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Objects {
    /// How many, in the whole system or per connection.
    pub count: f64,
    /// The size of one, in bytes.
    pub size: u64,
}

impl Kernel {
    /// `None` where the system doesn't report it.
    #[cfg(target_os = "linux")]
    pub(super) fn read() -> Option<Self> {
        use procfs::{Current, Meminfo};
        use std::fs;
        let memory = Meminfo::current().ok()?;
        // Objects may be readable for root only, and not every kernel is built with TCP.
        let sockets = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
        let objects = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
        let mut kernel = Kernel {
            bytes: memory.slab + memory.kernel_stack? + memory.page_tables?,
            under_way: pages_of_tcp(&sockets).unwrap_or(0) * PAGE,
            objects: objects.lines().filter_map(objects_in).collect(),
        };
        kernel.subtract_files_of_proc();
        Some(kernel)
    }

    /// Subtracts what the kernel keeps for files in `/proc` that some program has listed: an inode
    /// for each, its name, and what security modules know of it.
    #[cfg(target_os = "linux")]
    fn subtract_files_of_proc(&mut self) {
        let Some(files) = self.objects.remove("proc_inode_cache") else { return };
        let mut bytes = files.count * files.size as f64;
        for name in ["dentry", "lsm_inode_cache"] {
            if let Some(objects) = self.objects.get_mut(name) {
                let of_these = objects.count.min(files.count);
                objects.count -= of_these;
                bytes += of_these * objects.size as f64;
            }
        }
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }

    /// Left out: systems other than Linux.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn read() -> Option<Self> {
        None
    }

    /// How many more objects of each kind there are than `before`, per connection; without kinds of
    /// which there is less than one for every two connections. Empty for so few connections that
    /// their objects can't be told from others.
    pub(super) fn objects_for_each(
        &self,
        before: &Kernel,
        connections: usize,
    ) -> BTreeMap<String, Objects> {
        if connections < ENOUGH {
            return BTreeMap::new();
        }
        let more = |(name, now): (&String, &Objects)| {
            let before = before.objects.get(name).map_or(0.0, |before| before.count);
            let count = (now.count - before) / connections as f64;
            (count >= 0.5).then(|| (name.clone(), Objects { count, ..*now }))
        };
        self.objects.iter().filter_map(more).collect()
    }
}

/// The fewest connections for which objects are counted. With fewer, they can't be told from the
/// objects that the kernel only has in stock: a page of each kind per processor, and more.
const ENOUGH: usize = 1000;

/// The unit in which TCP counts: formerly the kernel's SK_MEM_QUANTUM, and since Linux 6.1 a page
/// of the processor, which has the same size on most processors.
#[cfg(target_os = "linux")]
const PAGE: u64 = 4096;

/// From the line `TCP: inuse 5 orphan 0 tw 0 alloc 5 mem 191`.
#[cfg(target_os = "linux")]
fn pages_of_tcp(sockets: &str) -> Option<u64> {
    let line = sockets.lines().find(|line| line.starts_with("TCP:"))?;
    line.split_whitespace().skip_while(|word| *word != "mem").nth(1)?.parse().ok()
}

/// From a line that begins with a name, active objects, all objects, and the size of one object.
/// (The file begins with two lines of headings.)
#[cfg(target_os = "linux")]
fn objects_in(line: &str) -> Option<(String, Objects)> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let count = words.next()?.parse().ok()?;
    let size = words.nth(1)?.parse().ok()?;
    Some((name.to_owned(), Objects { count, size }))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_memory_in_use() {
        assert!(Kernel::read().unwrap().bytes > 1 << 20);
    }

    #[test]
    fn the_files_are_read_as_the_kernel_writes_them() {
        let sockets =
            "sockets: used 25\nTCP: inuse 5 orphan 0 tw 0 alloc 5 mem 191\nUDP: inuse 0 mem 7";
        assert_eq!(pages_of_tcp(sockets), Some(191));
        let table = "slabinfo - version: 2.1\n# name <active_objs> <num_objs> <objsize>\n\
                     TCP  65  78  2368  13  8 : tunables 0 0 0 : slabdata 6 6 0";
        let objects: Vec<_> = table.lines().filter_map(objects_in).collect();
        let [(name, Objects { count: 65.0, size: 2368 })] = &objects[..] else {
            panic!("{objects:?}");
        };
        assert_eq!(name, "TCP");
    }

    #[test]
    fn files_of_proc_are_subtracted_with_their_names() {
        let table = "proc_inode_cache 10 10 700\ndentry 25 25 200\nTCP 3 3 2000";
        let objects = table.lines().filter_map(objects_in).collect();
        let mut kernel = Kernel { bytes: 20_000, under_way: 0, objects };
        kernel.subtract_files_of_proc();
        assert_eq!((kernel.bytes, kernel.objects["dentry"].count), (11_000, 15.0));
        assert_eq!(kernel.objects.len(), 2);
    }

    #[test]
    fn objects_of_every_connection_are_reported_and_others_are_left_out() {
        let kernel = |tcp: f64, files: f64| {
            let objects = [("TCP", tcp, 2368), ("filp", files, 192)]
                .map(|(name, count, size)| (name.to_owned(), Objects { count, size }));
            Kernel { objects: objects.into(), ..Kernel::default() }
        };
        let more = kernel(2030.0, 900.0).objects_for_each(&kernel(30.0, 500.0), 1000);
        assert_eq!(more.len(), 1);
        assert_eq!((more["TCP"].count, more["TCP"].size), (2.0, 2368));
        let few = kernel(230.0, 40.0).objects_for_each(&kernel(30.0, 40.0), 100);
        assert!(few.is_empty(), "they can't be told from others");
    }
}
