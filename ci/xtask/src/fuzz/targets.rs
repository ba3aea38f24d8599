//! The parsers of untrusted bytes.

use super::answers;
use notafter_core::ServiceName;
use notafter_inventory::{ImageForm, ScanOptions, read_cyclonedx, scan_bytes, scan_image};
use notafter_pki::read;
use std::path::Path;

/// A parser, and what makes a file worth giving to it.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// Whether it is given the files of this name. A file for another one is a test as well, but a poor one.
    pub(super) takes: fn(&str) -> bool,
    /// Runs it. `room`: where it may write.
    pub(super) run: fn(&[u8], room: &Path),
}

pub(super) const TARGETS: [Target; 8] = [
    Target {
        name: "der",
        takes: |name| name.ends_with(".der"),
        run: |bytes, _| {
            _ = read::certificate_at(bytes);
            _ = read::certificate_body_at(bytes);
            _ = read::crl_at(bytes);
            _ = read::ocsp_at(bytes);
            _ = read::public_key_of(bytes);
        },
    },
    Target {
        name: "text",
        takes: |name| [".pem", ".pub", ".json", "token", "zone"].iter().any(|end| name.ends_with(end)),
        run: |bytes, _| {
            for block in read::pem_blocks(bytes) {
                _ = block.decode();
            }
            for at in 0..bytes.len().min(2_000) {
                _ = read::jwt_at(&bytes[at..]);
                _ = read::ssh_certificate_after(&bytes[at..]);
                _ = read::base64_der_at(&bytes[at..]);
            }
            let (text, _) = read::base64_text(bytes);
            _ = read::base64_text_len(bytes, text.len());
            _ = read::mask_tokens(&String::from_utf8_lossy(bytes));
            _ = read::document(bytes);
        },
    },
    Target {
        name: "openpgp",
        takes: |name| name.starts_with("ring"),
        run: |bytes, _| {
            _ = read::openpgp_keys(bytes);
            _ = read::openpgp_armoured(bytes);
        },
    },
    Target {
        name: "stores",
        takes: |name| name.ends_with(".p12") || name.ends_with(".jks"),
        run: |bytes, _| {
            _ = read::open_pkcs12(bytes, &[]);
            _ = read::jks_certificates_with_keys(bytes);
        },
    },
    Target { name: "scan", takes: |_| true, run: |bytes, _| drop(scan_bytes(bytes, "/file", &service())) },
    Target {
        name: "bill",
        takes: |name| name == "bill.json",
        run: |bytes, _| drop(read_cyclonedx(&String::from_utf8_lossy(bytes), "/bill", &service())),
    },
    Target { name: "answers", takes: |name| name.starts_with("says-"), run: |bytes, _| answers::hear(bytes) },
    Target {
        name: "image",
        takes: |name| name == "image.tar",
        run: |bytes, room| {
            let path = room.join("image.tar");
            std::fs::write(&path, bytes).expect("there is room for one small file");
            drop(scan_image(ImageForm::DockerArchive, &path, &service(), &ScanOptions::default(), None));
        },
    },
];

fn service() -> ServiceName {
    ServiceName::new("fuzzed").expect("a short word of letters is a name")
}
