//! `notafter scan`: what ends in a file, a directory or a stream. Nothing runs, and nothing is judged but by
//! `--fail-before`.

use crate::args::{ScanArgs, ScanFormat};
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use notafter_core::{Credential, ImageName, Inventory, ServiceName, UnixTime, is_anchor};
use notafter_inventory::{
    ImageForm, Mounts, Passwords, ScanOptions, read_cyclonedx, scan_file, scan_image, scan_process,
    scan_reader, scan_tree,
};
use notafter_report::scan::{Findings, calendar, csv, cyclonedx, json, table};
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &ScanArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let now = notafter_runner::unix_now();
    let until = args.until.as_deref().map(|text| instant("--until", text, now)).transpose()?;
    let limit = args.fail_before.as_deref().map(|text| instant("--fail-before", text, now)).transpose()?;
    let inventory = inventory(args, printer)?;
    let target = match (&args.target, args.pid) {
        (Some(target), _) => target.to_string_lossy().into_owned(),
        (None, pid) => format!("process {}", pid.unwrap_or_default()),
    };
    let findings = Findings { target: &target, inventory: &inventory, now, until };
    let text = match args.format {
        ScanFormat::Csv => csv(&findings),
        ScanFormat::Cyclonedx => cyclonedx(&findings).map_err(Error::Render)?,
        ScanFormat::Ical => {
            tell_opaque(&inventory, printer);
            calendar(&findings)
        }
        ScanFormat::Json => json(&findings).map_err(Error::Render)?,
        ScanFormat::Table => {
            let mut page = String::new();
            // A String takes everything that is written to it.
            _ = table(&mut page, &findings, &printer.out_styles());
            page
        }
    };
    printer.data(&text)?;
    Ok(limit.map_or(Exit::Allow, |limit| verdict(&inventory, limit, args.count_anchors, printer)))
}

/// What has no end that is known has no event either.
fn tell_opaque(inventory: &Inventory, printer: &mut Printer) {
    match inventory.opaque.len() {
        0 => {}
        count => printer.note(&format!("not looked into: {count}, which the other formats list\n")),
    }
}

/// Presence as policy.
fn verdict(inventory: &Inventory, limit: UnixTime, count_anchors: bool, printer: &mut Printer) -> Exit {
    let ending = inventory.credentials.iter().filter(|found| found.not_after < limit);
    let (passed_over, counted): (Vec<&Credential>, Vec<&Credential>) =
        ending.partition(|found| is_anchor(found) && !count_anchors);
    match passed_over.len() {
        0 => {}
        count => printer.note(&format!(
            "{count} trust anchors that end before {limit} are passed over: stores keep ended ones as a matter of \
             course (--count-anchors counts them)\n"
        )),
    }
    match counted.len() {
        0 => Exit::Allow,
        count => {
            printer.note(&format!("{count} found that end before {limit}, as --fail-before forbids\n"));
            Exit::Block
        }
    }
}

fn inventory(args: &ScanArgs, printer: &mut Printer) -> Result<Inventory, Error> {
    let mounts = if args.cross_mounts { Mounts::Cross } else { Mounts::Stay };
    let options = ScanOptions { mounts, passwords: passwords(args)?, ..ScanOptions::default() };
    // Places name a service; here there is none, and no report of a scan shows it.
    let nobody = ServiceName::new("scan").expect("a short word of letters is a name");
    let found = match &args.target {
        None => Inventory::default(),
        Some(target) if args.cbom => {
            let text = std::fs::read_to_string(target)
                .map_err(|source| Error::ScanUnreadable { path: target.clone(), source })?;
            read_cyclonedx(&text, &target.to_string_lossy(), &nobody).map_err(Error::Scan)?
        }
        Some(target) => {
            match (image(target), target.to_str().and_then(|text| text.strip_prefix("docker://"))) {
                (Some((form, path)), _) => image_inventory(form, &path, &nobody, &options, args, printer)?,
                (None, Some(name)) => {
                    let layout = pulled(name, printer)?;
                    image_inventory(ImageForm::Oci, layout.path(), &nobody, &options, args, printer)?
                }
                (None, None) => plain_inventory(target, &nobody, &options)?,
            }
        }
    };
    match args.pid {
        None => Ok(found),
        Some(pid) => scan_process(pid, found, &nobody, &options).map_err(Error::Scan),
    }
}

/// The form and the place of an image, by the names of containers-transports(5).
fn image(target: &Path) -> Option<(ImageForm, PathBuf)> {
    let (transport, path) = target.to_str()?.split_once(':')?;
    let form = match transport {
        "dir" => ImageForm::Dir,
        "docker-archive" => ImageForm::DockerArchive,
        "oci" => ImageForm::Oci,
        "oci-archive" => ImageForm::OciArchive,
        _ => return None,
    };
    Some((form, PathBuf::from(path)))
}

/// The image of a registry, in a directory that goes with the scan.
fn pulled(name: &str, printer: &mut Printer) -> Result<tempfile::TempDir, Error> {
    let target = || format!("docker://{name}");
    let name = ImageName::new(name)
        .map_err(|error| Error::Target { target: target(), reason: error.to_string() })?;
    let directory =
        tempfile::tempdir().map_err(|source| Error::ScanUnreadable { path: std::env::temp_dir(), source })?;
    let mut on_line = |line: &str| printer.note(&format!("{line}\n"));
    notafter_runner::pull_layout(&name, directory.path(), &mut on_line).map_err(Error::Run)?;
    Ok(directory)
}

fn image_inventory(
    form: ImageForm,
    path: &Path,
    nobody: &ServiceName,
    options: &ScanOptions,
    args: &ScanArgs,
    printer: &mut Printer,
) -> Result<Inventory, Error> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".cache"));
    let cache = absolute("XDG_CACHE_HOME").or_else(home).map(|base| base.join("notafter/layers"));
    let cache = cache.filter(|_| !args.no_cache);
    let scanned = scan_image(form, path, nobody, options, cache.as_deref()).map_err(Error::Scan)?;
    let (layers, known, hidden) = (scanned.layers, scanned.known, scanned.hidden);
    printer.note(&format!(
        "layers: {layers}, of which {known} had been looked into before; places that a container does not see: {hidden}\n"
    ));
    Ok(scanned.inventory)
}

fn plain_inventory(target: &Path, nobody: &ServiceName, options: &ScanOptions) -> Result<Inventory, Error> {
    let unreadable = |source| Error::ScanUnreadable { path: target.to_owned(), source };
    if target == Path::new("-") {
        return Ok(scan_reader(&mut std::io::stdin().lock(), "-", nobody, options));
    }
    let kind = std::fs::metadata(target).map_err(unreadable)?;
    if kind.is_dir() {
        return scan_tree(target, nobody, options).map_err(Error::Scan);
    }
    let file = std::fs::File::open(target).map_err(unreadable)?;
    if !kind.is_file() {
        return Ok(scan_reader(&mut &file, &target.to_string_lossy(), nobody, options));
    }
    Ok(scan_file(target, &target.to_string_lossy(), nobody, options))
}

/// The passwords that the command line names.
fn passwords(args: &ScanArgs) -> Result<Passwords, Error> {
    let mut passwords = Passwords::default();
    for variable in &args.password_env {
        let value =
            std::env::var(variable).map_err(|_| Error::PasswordVariable { variable: variable.clone() })?;
        passwords.add(value);
    }
    for path in &args.password_file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::PasswordFile { path: path.clone(), source })?;
        text.lines().filter(|line| !line.is_empty()).for_each(|line| passwords.add(line.to_owned()));
    }
    Ok(passwords)
}

/// `2y` counts from now, as `+2y` does; `2027-01-01` is the beginning of that day in UTC.
fn instant(option: &'static str, text: &str, now: UnixTime) -> Result<UnixTime, Error> {
    let is_date = text.len() == 10 && text.matches('-').count() == 2;
    let is_span = text.ends_with(|last: char| last.is_ascii_lowercase())
        && text.starts_with(|first: char| first.is_ascii_digit());
    let full = match (is_date, is_span) {
        (true, _) => format!("{text}T00:00:00Z"),
        (_, true) => format!("+{text}"),
        _ => text.to_owned(),
    };
    notafter_scenario::instant(&full, now)
        .map_err(|reason| Error::Instant { option, reason: reason.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_as_spans_days_and_instants() {
        let now = UnixTime::parse("2026-02-28T12:00:00Z").unwrap();
        for (text, expected) in [
            ("2y", "2028-02-28T12:00:00Z"),
            ("+1d", "2026-03-01T12:00:00Z"),
            ("2027-01-01", "2027-01-01T00:00:00Z"),
            ("2027-01-01T00:00:01Z", "2027-01-01T00:00:01Z"),
        ] {
            assert_eq!(instant("--until", text, now).unwrap().to_string(), expected, "{text}");
        }
        assert!(instant("--until", "soon", now).is_err());
    }
}
