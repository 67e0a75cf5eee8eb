//! `aigolos dev-cert`: a certificate for this machine, from an authority that exists for it alone and whose key nobody keeps.

use std::{
    fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::ExitCode,
};

use jiff::{ToSpan as _, Zoned, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::super::config::Config;

/// What clients trust, what the server shows, and the key to it.
const FILES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];
/// Browsers refuse what is valid for longer.
const DAYS: i32 = 397;

/// Writes the files into `DATA_DIR/tls`, unless they are there, and prints the settings that use them.
///
/// # Errors
/// When they cannot be made or written.
pub fn dev_cert(config: &Config) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let folder = config.settings.data_dir.join("tls");
    let unwritable =
        |error: &dyn std::fmt::Display| format!("{} cannot be written: {error}\nhint: set DATA_DIR", folder.display());
    fs::create_dir_all(&folder).map_err(|error| unwritable(&error))?;
    let [authority, certificate, key] = FILES.map(|name| folder.join(name));
    if [&authority, &certificate, &key].iter().all(|file| file.exists()) {
        println!("# They are there already; to make new ones, remove {} first.", folder.display());
    } else {
        let names = names();
        let made = make(&names)?;
        for (file, text) in [(&authority, &made.authority), (&certificate, &made.chain), (&key, &made.key)] {
            write(file, text).map_err(|error| unwritable(&error))?;
        }
        println!("# For {}; valid {DAYS} days.", names.join(", "));
    }
    println!("# Clients must trust {}", fs::canonicalize(&authority)?.display());
    if let Some(fingerprint) = fingerprint(&fs::read(&authority)?) {
        println!("# Its SHA-256 fingerprint, as devices show it: {fingerprint}");
    }
    println!("TLS_CERT={}", fs::canonicalize(certificate)?.display());
    println!("TLS_KEY={}", fs::canonicalize(key)?.display());
    Ok(ExitCode::SUCCESS)
}

/// `AB:CD:...` of the first certificate.
fn fingerprint(pem: &[u8]) -> Option<String> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let pairs: Vec<_> = Sha256::digest(&certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    Some(pairs.join(":"))
}

/// PEM texts.
struct Made {
    authority: String,
    chain: String,
    key: String,
}

fn make(names: &[String]) -> Result<Made, rcgen::Error> {
    // From yesterday: clocks differ.
    let yesterday = Zoned::now().with_time_zone(TimeZone::UTC).saturating_sub(1.day()).date();
    let last = yesterday.saturating_add(DAYS.days());
    let day = |date: jiff::civil::Date| date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);

    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut leaf = CertificateParams::new(names)?;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for (params, name) in [(&mut authority, "aigolos on this machine"), (&mut leaf, "aigolos")] {
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (day(yesterday), day(last));
    }
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &authority)?;
    Ok(Made { authority: authority.pem(), chain: certificate.pem(), key: key.serialize_pem() })
}

/// What this machine is called, here and on its networks.
fn names() -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = hostname::get().ok().and_then(|name| name.into_string().ok()).unwrap_or_default().to_lowercase();
    if !host.is_empty() && host.is_ascii() && host != "localhost" {
        names.push(host.clone());
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
    }
    let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let others = if_addrs::get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
    for address in own.into_iter().chain(others.filter(|address| !is_link_local(address))) {
        let address = address.to_string();
        if !names.contains(&address) {
            names.push(address);
        }
    }
    names
}

/// Such an address is of no use without the name of the interface.
fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// For its owner alone, keys above all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_named_once_by_each_name() {
        let names = names();
        for name in ["localhost", "127.0.0.1", "::1"] {
            assert_eq!(names.iter().filter(|known| *known == name).count(), 1, "{names:?}");
        }
        let made = make(&names).expect("every name can stand in a certificate");
        assert!(made.key.contains("PRIVATE KEY") && made.authority != made.chain);
        let fingerprint = fingerprint(made.authority.as_bytes()).expect("a certificate");
        assert_eq!(fingerprint.split(':').count(), 32, "{fingerprint}");
    }
}
