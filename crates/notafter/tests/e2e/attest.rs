//! Attested verdicts: made by the gate, refused or accepted before a deployment, and verified by openssl alone.

use super::images::busybox;
use super::runs::can_run;
use super::scene::{SOUND, Scene, shown};
use notafter_image::{Assembly, ImageConfig, Layer};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/o2-ericsson-2018");

fn openssl(scene: &Scene, arguments: &[&str]) -> bool {
    let output = Command::new("openssl").args(arguments).current_dir(scene.path()).output().unwrap();
    output.status.success()
}

/// `NAME.pem` and `NAME.pub`, as an operator makes them.
fn make_key(scene: &Scene, name: &str, kind: &[&str]) {
    let (private, public) = (format!("{name}.pem"), format!("{name}.pub"));
    assert!(openssl(scene, &[&["genpkey", "-out", &private], kind].concat()));
    let password = ["-passin", "pass:correct horse"];
    assert!(openssl(
        scene,
        &[&["pkey", "-in", &private, "-pubout", "-out", &public], password.as_slice()].concat()
    ));
}

/// What the candidate of a build runs.
fn binary(build: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_notafter")).parent().unwrap();
    directory.join(format!("sgsn-mme-{}", build.replace('.', "-")))
}

fn gate(scene: &Scene, build: &str, key: &str, into: &str) -> (Option<i32>, String) {
    let candidate = format!("sgsn-mme={build}");
    let arguments = ["gate", SCENARIO, "--candidate", &candidate, "--quiet", "--attest", into, "--key", key];
    let output = scene.command(&arguments).env("NOTAFTER_KEY_PASSWORD", "correct horse").output().unwrap();
    (output.status.code(), shown(&output))
}

fn verify(scene: &Scene, file: &str, key: &str, image: &str, more: &[&str]) -> String {
    scene.run(&[&["verify", file, "--key", key, "--image", image], more].concat())
}

/// Takes a line of a bundle apart with what the format promises, and asks openssl about the signature.
fn openssl_accepts(scene: &Scene, line: &str, public: &str) -> bool {
    let envelope: serde_json::Value = serde_json::from_str(line).unwrap();
    let decoded = |name: &str, base64: &serde_json::Value| {
        fs::write(scene.path().join("base64"), base64.as_str().unwrap()).unwrap();
        assert!(openssl(scene, &["base64", "-d", "-A", "-in", "base64", "-out", name]));
        fs::read(scene.path().join(name)).unwrap()
    };
    let payload = decoded("payload", &envelope["payload"]);
    decoded("signature", &envelope["signatures"][0]["sig"]);
    let kind = envelope["payloadType"].as_str().unwrap();
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    fs::write(scene.path().join("message"), [head.as_bytes(), &payload].concat()).unwrap();
    match public {
        "p256.pub" => {
            openssl(scene, &["dgst", "-sha256", "-verify", public, "-signature", "signature", "message"])
        }
        _ => openssl(
            scene,
            &[
                "pkeyutl",
                "-verify",
                "-pubin",
                "-inkey",
                public,
                "-rawin",
                "-in",
                "message",
                "-sigfile",
                "signature",
            ],
        ),
    }
}

#[test]
fn an_attested_allow_is_accepted_and_everything_else_refused() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    make_key(&scene, "ed25519", &["-algorithm", "ed25519"]);
    make_key(&scene, "p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    make_key(&scene, "locked", &["-algorithm", "ed25519", "-aes-256-cbc", "-pass", "pass:correct horse"]);
    let (mended, broken) = (binary("1.15.1"), binary("1.14"));
    let (mended, broken) = (mended.to_str().unwrap(), broken.to_str().unwrap());

    for key in ["ed25519", "p256", "locked"] {
        let (code, text) = gate(&scene, "1.15.1", &format!("{key}.pem"), "good.jsonl");
        assert_eq!(code, Some(0), "{text}");
        let public = format!("{key}.pub");
        let accepted = verify(&scene, "good.jsonl", &public, mended, &["--max-age", "24h"]);
        assert!(
            accepted.starts_with(
                "exit 0\n--- stdout\naccepted: cargo:o2-fixtures/sgsn-mme-1-15-1 was allowed on 20"
            ),
            "{accepted}"
        );

        let bundle = fs::read_to_string(scene.path().join("good.jsonl")).unwrap();
        assert_eq!(bundle.lines().count(), 2);
        let other = if key == "p256" { "ed25519.pub" } else { "p256.pub" };
        for line in bundle.lines() {
            assert!(openssl_accepts(&scene, line, &public), "{line}");
            assert!(!openssl_accepts(&scene, line, other), "{line}");
        }
        let refused = verify(&scene, "good.jsonl", other, mended, &[]);
        assert_eq!(refused, "exit 1\n--- stdout\nrefused: no signature in line 1 is by this key");
        let refused = verify(&scene, "good.jsonl", &public, broken, &[]);
        assert!(
            refused.starts_with("exit 1\n--- stdout\nrefused: the attestation is about sha256:"),
            "{refused}"
        );
    }

    let (code, text) = gate(&scene, "1.14", "ed25519.pem", "bad.jsonl");
    assert_eq!(code, Some(1), "{text}");
    let refused = verify(&scene, "bad.jsonl", "ed25519.pub", broken, &[]);
    assert_eq!(refused, "exit 1\n--- stdout\nrefused: the image was not allowed: the gate said block");
    // Changed on the way.
    let text = fs::read_to_string(scene.path().join("bad.jsonl")).unwrap();
    fs::write(scene.path().join("forged.jsonl"), text.replacen("\"payload\":\"e", "\"payload\":\"f", 1))
        .unwrap();
    let refused = verify(&scene, "forged.jsonl", "ed25519.pub", broken, &[]);
    assert_eq!(refused, "exit 1\n--- stdout\nrefused: no signature in line 1 is by this key");
}

#[test]
fn what_is_wrong_with_a_key_shows_before_anything_runs() {
    if !can_run() {
        return;
    }
    let scene = Scene::new();
    make_key(&scene, "locked", &["-algorithm", "ed25519", "-aes-256-cbc", "-pass", "pass:correct horse"]);
    make_key(&scene, "rsa", &["-algorithm", "RSA"]);
    let arguments = ["gate", SCENARIO, "--candidate", "sgsn-mme=1.16", "--attest", "a.jsonl", "--key"];
    let run = |key: &str| scene.command(&[arguments.as_slice(), &[key]].concat()).output().unwrap();
    let told = shown(&run("locked.pem"));
    assert!(told.starts_with("exit 2\n"), "{told}");
    assert!(told.contains("the private key is encrypted, and there is no password for it"), "{told}");
    assert!(told.contains("help: put it into the variable NOTAFTER_KEY_PASSWORD"), "{told}");
    let told = shown(&run("rsa.pem"));
    assert!(told.starts_with("exit 2\n") && told.contains("its key is of another kind"), "{told}");
    assert!(!scene.path().join("a.jsonl").exists());
}

#[test]
fn an_image_with_layers_is_known_by_its_manifest_or_else_its_configuration() {
    if !can_run() {
        return;
    }
    let Some(busybox) = busybox() else { return };
    let scene = Scene::new();
    make_key(&scene, "key", &["-algorithm", "ed25519"]);
    let mut layer = Layer::new().unwrap();
    layer.file("/busybox", &fs::read(busybox).unwrap(), 0o755, (0, 0)).unwrap();
    let entrypoint = ["/busybox", "sleep", "1000000000"].map(str::to_owned).to_vec();
    let assembly = Assembly::new(ImageConfig { entrypoint, ..ImageConfig::default() }).layer(layer);
    let archive = fs::File::create(scene.path().join("archive.tar")).unwrap();
    let identity = assembly.write_archive(Some("sleeper:1"), archive).unwrap();
    let (id, manifest) = (identity.id, identity.manifest.unwrap());
    // One file that is read in two ways.
    for (image, name, other) in
        [("docker-archive:archive.tar", &id, &manifest), ("oci-archive:archive.tar", &manifest, &id)]
    {
        let text = SOUND.replace("host", &format!("\"{image}\""));
        let text = text.replace("    command: [sleep, \"1000000\"]\n", "");
        fs::write(scene.path().join("scenario.yaml"), text).unwrap();
        let told =
            scene.run(&["gate", "scenario.yaml", "--attest", "a.jsonl", "--key", "key.pem", "--quiet"]);
        assert!(told.starts_with("exit 0\n"), "{told}");
        for name in [name, image] {
            let accepted = verify(&scene, "a.jsonl", "key.pub", name, &[]);
            assert!(accepted.starts_with("exit 0\n--- stdout\naccepted: "), "{accepted}");
        }
        for other in [other, "rootfs:archive.tar"] {
            let refused = verify(&scene, "a.jsonl", "key.pub", other, &[]);
            assert!(
                refused.starts_with("exit 1\n--- stdout\nrefused: the attestation is about sha256:"),
                "{refused}"
            );
        }
        // The file is what its content says: here what `docker save` writes.
        let plain = verify(&scene, "a.jsonl", "key.pub", "archive.tar", &[]);
        assert_eq!(plain.starts_with("exit 0\n"), name == &id, "{plain}");
    }
    // A layer that its configuration does not name makes it another image.
    let sound = fs::read(scene.path().join("archive.tar")).unwrap();
    let at = sound.windows(4).position(|bytes| bytes == b"\x7fELF").unwrap() + 5_000;
    let mut changed = sound.clone();
    changed[at] ^= 1;
    fs::write(scene.path().join("changed.tar"), changed).unwrap();
    let refused = verify(&scene, "a.jsonl", "key.pub", "oci-archive:changed.tar", &[]);
    assert!(refused.starts_with("exit 2\n") && refused.contains("has the digest sha256:"), "{refused}");
}

#[test]
fn the_machine_itself_is_no_image_that_can_be_attested() {
    if !can_run() {
        return;
    }
    let scene = Scene::with("scenario.yaml", SOUND);
    make_key(&scene, "key", &["-algorithm", "ed25519"]);
    let told = scene.run(&["gate", "scenario.yaml", "--attest", "a.jsonl", "--key", "key.pem"]);
    assert!(told.starts_with("exit 2\n"), "{told}");
    assert!(
        told.contains("this kind of image, such as the machine's own files, cannot be named by its content"),
        "{told}"
    );
}
