//! Images that are made here, layer by layer.

use super::{ImageForm, ScannedImage, scan_image};
use crate::ScanOptions;
use flate2::Compression;
use flate2::write::GzEncoder;
use notafter_core::ServiceName;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;

fn pem(name: &str) -> Vec<u8> {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.self_signed(&KeyPair::generate_for(&PKCS_ED25519).unwrap()).unwrap().pem().into_bytes()
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        builder.append_data(&mut header, name, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Layers, each with the instruction that made it: the first two hold what the others replace, remove and empty.
fn layers() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "ADD base.tar /",
            tar(&[
                ("etc/kept.pem", &pem("kept")),
                ("etc/replaced.pem", &pem("replaced")),
                ("etc/removed/a.pem", &pem("removed")),
                ("srv/emptied/b.pem", &pem("emptied")),
                ("var/lib/dpkg/status", b"Package: ca\nVersion: 1\n"),
                ("var/lib/dpkg/info/ca.list", b"/etc/kept.pem\n"),
            ]),
        ),
        ("RUN make-more", tar(&[("srv/again.pem", &pem("again"))])),
        (
            "COPY last /",
            tar(&[
                ("etc/replaced.pem", b"nothing"),
                ("etc/.wh.removed", b""),
                ("srv/emptied/.wh..wh..opq", b""),
                ("srv/emptied/new.pem", &pem("new")),
            ]),
        ),
    ]
}

fn config(layers: &[(&str, Vec<u8>)]) -> String {
    let ids: Vec<String> = layers.iter().map(|(_, tar)| format!("\"sha256:{}\"", digest(tar))).collect();
    let steps: Vec<String> = layers.iter().map(|(by, _)| format!(r#"{{"created_by":"{by}"}}"#)).collect();
    format!(
        r#"{{"rootfs":{{"type":"layers","diff_ids":[{}]}},"history":[{{"created_by":"ENV A=b","empty_layer":true}},{}]}}"#,
        ids.join(","),
        steps.join(",")
    )
}

fn docker_archive(layers: &[(&str, Vec<u8>)]) -> Vec<u8> {
    docker_archive_of(layers, &config(layers))
}

fn docker_archive_of(layers: &[(&str, Vec<u8>)], config: &str) -> Vec<u8> {
    let names: Vec<String> = (0..layers.len()).map(|index| format!("{index}/layer.tar")).collect();
    let listed: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let manifest = format!(r#"[{{"Config":"config.json","RepoTags":null,"Layers":[{}]}}]"#, listed.join(","));
    let mut entries = vec![("manifest.json", manifest.as_bytes()), ("config.json", config.as_bytes())];
    entries.extend(names.iter().zip(layers).map(|(name, (_, tar))| (name.as_str(), tar.as_slice())));
    tar(&entries)
}

fn oci_layout(layers: &[(&str, Vec<u8>)], root: &Path) {
    let blob = |bytes: &[u8]| {
        let digest = digest(bytes);
        fs::create_dir_all(root.join("blobs/sha256")).unwrap();
        fs::write(root.join("blobs/sha256").join(&digest), bytes).unwrap();
        format!(r#""digest":"sha256:{digest}""#)
    };
    let config = blob(config(layers).as_bytes());
    let packed: Vec<String> = layers
        .iter()
        .map(|(_, tar)| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(tar).unwrap();
            format!("{{{}}}", blob(&encoder.finish().unwrap()))
        })
        .collect();
    let manifest = format!(r#"{{"config":{{{config}}},"layers":[{}]}}"#, packed.join(","));
    let manifest = blob(manifest.as_bytes());
    let attestation = r#"{"digest":"sha256:00","platform":{"os":"unknown","architecture":"unknown"}}"#;
    fs::write(root.join("index.json"), format!(r#"{{"manifests":[{{{manifest}}},{attestation}]}}"#)).unwrap();
}

fn scan(form: ImageForm, path: &Path, cache: Option<&Path>) -> ScannedImage {
    scan_image(form, path, &ServiceName::new("node").unwrap(), &ScanOptions::default(), cache).unwrap()
}

/// Subject, path, instruction and owners of everything that is seen.
fn seen(image: &ScannedImage) -> Vec<String> {
    let mut seen: Vec<String> = image
        .inventory
        .credentials
        .iter()
        .flat_map(|known| known.places.iter().map(move |place| (known, place)))
        .map(|(known, place)| {
            let owners: Vec<String> = place.owners.iter().map(ToString::to_string).collect();
            let layer = place.layer.as_ref().unwrap();
            format!("{} {} [{}] {}", known.subject, place.path, layer.made_by, owners.join(", "))
        })
        .collect();
    seen.sort();
    seen
}

const SEEN: [&str; 3] = [
    "CN=again /srv/again.pem [RUN make-more] ",
    "CN=kept /etc/kept.pem [ADD base.tar /] dpkg package ca 1",
    "CN=new /srv/emptied/new.pem [COPY last /] ",
];

#[test]
fn a_container_sees_what_no_later_layer_hides() {
    let scene = TempDir::new().unwrap();
    let layers = layers();
    let archive = scene.path().join("image.tar");
    fs::write(&archive, docker_archive(&layers)).unwrap();
    oci_layout(&layers, &scene.path().join("layout"));
    for (form, name) in [(ImageForm::DockerArchive, "image.tar"), (ImageForm::Oci, "layout")] {
        let image = scan(form, &scene.path().join(name), None);
        assert_eq!(seen(&image), SEEN, "{form:?}");
        assert_eq!((image.hidden, image.layers, image.known), (3, 3, 0), "{form:?}");
        assert_eq!(image.inventory.opaque, []);
        let layer = image.inventory.credentials[0].places[0].layer.clone().unwrap();
        assert!(layers.iter().any(|(_, tar)| layer.digest == format!("sha256:{}", digest(tar))), "{layer:?}");
    }
}

#[test]
fn a_layer_that_is_known_is_not_looked_into_again() {
    let scene = TempDir::new().unwrap();
    let (image, cache) = (scene.path().join("image.tar"), scene.path().join("cache"));
    fs::write(&image, docker_archive(&layers())).unwrap();
    let first = scan(ImageForm::DockerArchive, &image, Some(&cache));
    let again = scan(ImageForm::DockerArchive, &image, Some(&cache));
    assert_eq!((first.known, again.known), (0, 3));
    assert_eq!(first.inventory, again.inventory);
    // The digest is that of the bytes that lie there, whatever the image calls them.
    let mut changed = layers();
    changed[1].1 = tar(&[("srv/other.pem", &pem("other"))]);
    fs::write(&image, docker_archive(&changed)).unwrap();
    let third = scan(ImageForm::DockerArchive, &image, Some(&cache));
    assert_eq!(third.known, 0, "the certificates of the others are made anew too");
    assert!(seen(&third)[2].starts_with("CN=other /srv/other.pem"), "{:?}", seen(&third));
}

#[test]
fn what_is_no_image_is_an_error_and_a_damaged_layer_is_opaque() {
    let scene = TempDir::new().unwrap();
    let service = ServiceName::new("node").unwrap();
    let failure = |name: &str, bytes: &[u8]| {
        let path = scene.path().join(name);
        fs::write(&path, bytes).unwrap();
        let scanned = scan_image(ImageForm::DockerArchive, &path, &service, &ScanOptions::default(), None);
        let error = scanned.unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    };
    assert_eq!(failure("a", &tar(&[("x", b"y")])), "there is no manifest.json in it");
    let manifest = br#"[{"Config":"c","Layers":["../../etc/passwd"]}]"#;
    let one = br#"{"rootfs":{"diff_ids":["sha256:00"]}}"#;
    let led_out = failure("b", &tar(&[("manifest.json", manifest), ("c", one)]));
    assert_eq!(led_out, "there is no ../../etc/passwd in it");
    let mut broken = layers();
    broken[1].1.truncate(700);
    let path = scene.path().join("c");
    fs::write(&path, docker_archive(&broken)).unwrap();
    let image = scan(ImageForm::DockerArchive, &path, None);
    let told: Vec<&str> = image.inventory.opaque.iter().map(|told| told.reason.as_str()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(seen(&image).len(), 2);
}

/// What an image says of how it runs is part of it, as far as it may hold something that ends.
#[test]
fn the_configuration_is_looked_into_and_the_history_is_counted() {
    let scene = TempDir::new().unwrap();
    let layers = [("ADD base.tar /", tar(&[("etc/kept.pem", &pem("kept"))]))];
    // {"alg":"HS256"}, this issuer, and what has the length of a signature.
    let token = |claims: &str| format!("eyJhbGciOiJIUzI1NiJ9.{claims}.{}", "a".repeat(43));
    let [runs, built] = ["eyJpc3MiOiJhIn0", "eyJpc3MiOiJiIn0"].map(token);
    let lines = String::from_utf8(pem("given")).unwrap().replace('\n', "\\\\n");
    let settings = format!(
        r#""config":{{"Env":["PATH=/bin","API_TOKEN={runs}","CA={lines}"],"Cmd":["serve","--token={runs}"],
        "Labels":{{"org.example":"{runs}"}},"User":null,"ExposedPorts":{{"443/tcp":{{}}}}}},"rootfs""#
    );
    let told = format!(
        "{{\"created_by\":\"ARG A={built} B={runs}\",\"empty_layer\":true}},{{\"created_by\":\"ADD\""
    );
    let config =
        config(&layers).replace("\"rootfs\"", &settings).replace("{\"created_by\":\"ADD base.tar /\"", &told);
    let path = scene.path().join("image.tar");
    fs::write(&path, docker_archive_of(&layers, &config)).unwrap();
    let image = scan(ImageForm::DockerArchive, &path, None);
    let mut places: Vec<String> = image
        .inventory
        .credentials
        .iter()
        .flat_map(|known| known.places.iter().map(|place| format!("{}: {}", place.path, known.subject)))
        .collect();
    places.sort();
    assert_eq!(
        places,
        [
            "/etc/kept.pem: CN=kept",
            "image config: Cmd[1]: JWT iss=a",
            "image config: Env API_TOKEN: JWT iss=a",
            "image config: Env CA: CN=given",
            "image config: Labels org.example: JWT iss=a",
        ]
    );
    assert_eq!(image.hidden, 1, "what only the build was given");
}
