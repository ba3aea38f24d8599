//! What a process holds in memory of its own, through files that somebody has opened who may.
//!
//! What must never happen here: reading without bounds; passing over what was not read without saying so.

use super::maps::{Mapping, readable};
use super::memory::Memory;
use super::pages;
use crate::ScanOptions;
use crate::buffer::Buffer;
use crate::collect::{Collector, Shape};
use crate::scan::Merged;
use crate::unpack::carve_stream;
use notafter_core::{Credential, ServiceName};
use std::fs::File;
use std::io::{self, Read};

/// The files of one process in /proc.
#[derive(Debug)]
pub struct ProcessFiles {
    /// proc_pid_maps(5).
    pub maps: File,
    /// proc_pid_mem(5).
    pub mem: File,
    /// proc_pid_pagemap(5).
    pub pagemap: File,
}

/// What was found in it.
#[derive(Debug, Default)]
pub struct Held {
    /// Every credential, each once with the first place in which it lies; those that lie in most places first. One that was
    /// overwritten in part has one, and is no other than the one it was.
    pub credentials: Vec<Credential>,
    /// How much was read.
    pub read_bytes: u64,
    /// How much more there was.
    pub left_bytes: u64,
}

/// Scans the pages that belong to process `pid` of `service` alone, `max_bytes` at most: what it has written to, not what
/// it has mapped of files. A process that has ended holds nothing.
///
/// # Errors
/// Those of reading its mappings.
pub fn scan_memory(
    files: &ProcessFiles,
    pid: u32,
    service: &ServiceName,
    max_bytes: u64,
) -> io::Result<Held> {
    let mut maps = String::new();
    (&files.maps).read_to_string(&mut maps)?;
    let options = ScanOptions::default();
    let path = format!("/proc/{pid}/mem");
    let mut held = Held::default();
    let (mut merged, mut buffer, mut entries) = (Merged::default(), Buffer::default(), Vec::new());
    for mapping in readable(&maps).into_iter().filter(|mapping| mapping.is_private) {
        let runs = pages::own(&files.pagemap, &mapping, &mut entries)?;
        let mut collector = Collector::new(service, &path, &options);
        let Mapping { name, .. } = mapping;
        collector.inside.push(name);
        collector.shape = Shape::Memory;
        for (begin, end) in runs {
            let wanted = (end - begin).min(max_bytes.saturating_sub(held.read_bytes));
            held.left_bytes += end - begin - wanted;
            if wanted == 0 {
                continue;
            }
            let mut reader = Memory { file: &files.mem, at: begin, end: begin + wanted };
            carve_stream(&mut reader, begin, &mut collector, &mut buffer)?;
            held.read_bytes += wanted;
        }
        merged.add(collector.finish(), service);
    }
    held.credentials = merged.finish().credentials;
    held.credentials.sort_by_key(|credential| std::cmp::Reverse(credential.places.len()));
    for credential in &mut held.credentials {
        // The same bytes lie in a dozen buffers.
        let whole = credential
            .places
            .iter()
            .position(|place| place.container != notafter_core::Container::MemoryBody);
        credential.places.swap(0, whole.unwrap_or(0));
        credential.places.truncate(1);
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    const PAGE: u64 = 4_096;

    /// A process with these pages at these addresses, and mappings as they would be listed.
    fn process(maps: &str, pages: &[(u64, u64, &[u8])]) -> ProcessFiles {
        let mut files = ProcessFiles { maps: made(), mem: made(), pagemap: made() };
        for (at, entry, bytes) in pages {
            files.mem.write_all_at(bytes, *at).unwrap();
            files.pagemap.write_all_at(&entry.to_le_bytes(), at / PAGE * 8).unwrap();
        }
        files.maps.write_all(maps.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut files.maps).unwrap();
        files
    }

    fn made() -> File {
        tempfile::tempfile().unwrap()
    }

    fn der(name: &str) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn found(files: &ProcessFiles, max_bytes: u64) -> (Vec<String>, u64, u64) {
        let held = scan_memory(files, 7, &ServiceName::new("web").unwrap(), max_bytes).unwrap();
        let mut names: Vec<String> = held.credentials.iter().map(|it| it.subject.clone()).collect();
        names.sort();
        assert!(held.credentials.iter().all(|it| it.places.len() == 1 && it.places[0].path == "/proc/7/mem"));
        (names, held.read_bytes, held.left_bytes)
    }

    const OWN: u64 = 1 << 63;
    const MAPS: &str = "\
10000-20000 rw-p 00000000 00:00 0                                        [heap]
20000-30000 rw-s 00000000 00:01 9                                        /dev/shm/shared
30000-40000 r--p 00000000 fd:00 9                                        /usr/lib/lib.so
";

    #[test]
    fn pages_of_its_own_are_read_and_no_others() {
        let (own, swapped) = (der("own"), der("swapped"));
        let (file, shared, absent) = (der("file"), der("shared"), der("absent"));
        let files = process(
            MAPS,
            &[
                (0x1_0000, OWN, &own),
                (0x1_8000, 0, &absent),
                (0x2_0000, OWN, &shared),
                (0x3_0000, OWN | 1 << 61, &file),
                (0x3_8000, 1 << 62, &swapped),
            ],
        );
        assert_eq!(found(&files, 1 << 20), (vec!["CN=own".to_owned(), "CN=swapped".to_owned()], 8_192, 0));
    }

    #[test]
    fn what_lies_across_two_pages_is_found_and_what_is_beyond_the_bound_is_counted() {
        let (crossing, far) = (der("crossing"), der("far"));
        let at = 0x1_1000 - 100;
        let files = process(MAPS, &[(0x1_0000, OWN, &[]), (0x1_1000, OWN, &[]), (0x1_a000, OWN, &far)]);
        files.mem.write_all_at(&crossing, at).unwrap();
        assert_eq!(found(&files, 8_192), (vec!["CN=crossing".to_owned()], 8_192, 4_096));
        let both = vec!["CN=crossing".to_owned(), "CN=far".to_owned()];
        assert_eq!(found(&process_again(&files), 1 << 20), (both, 12_288, 0));
    }

    fn process_again(files: &ProcessFiles) -> ProcessFiles {
        let mut maps = files.maps.try_clone().unwrap();
        std::io::Seek::rewind(&mut maps).unwrap();
        ProcessFiles {
            maps,
            mem: files.mem.try_clone().unwrap(),
            pagemap: files.pagemap.try_clone().unwrap(),
        }
    }
}
