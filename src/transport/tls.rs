//! The TLS settings of both clients: the system's trust and a named CA file, or, for `insecure` only, none.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;

use super::{TransportError, TransportErrorKind};

/// Whom to trust, and which HTTP versions to offer (ALPN; empty: none is offered).
pub(super) fn client_config(
    ca_file: Option<&Path>,
    insecure: bool,
    alpn: &[&[u8]],
) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_error("TLS cannot be set up", &error))?;
    let mut config = if insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny { provider }))
            .with_no_client_auth()
    } else {
        let extra_roots = ca_file.map(read_ca_file).transpose()?.unwrap_or_default();
        let has_extra = !extra_roots.is_empty();
        match Verifier::new_with_extra_roots(extra_roots, provider) {
            Ok(verifier) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth(),
            Err(error) if has_extra => {
                return Err(tls_error("The CA file's certificates are refused", &error));
            }
            // A system without any trusted authority: nothing is trusted, and plain HTTP still works.
            Err(_) => builder
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth(),
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// As [`client_config`] for a client that may never meet TLS: the system's authorities are read when the first server
/// shows its certificate. Reading them is most of what the start of a run costs (140 files, 9 of its 18 ms of CPU), and a
/// server on one's own machine speaks plain HTTP.
pub(super) fn lazy_client_config(
    ca_file: Option<&Path>,
    insecure: bool,
    alpn: &[&[u8]],
) -> Result<ClientConfig, TransportError> {
    if insecure || ca_file.is_some() {
        return client_config(ca_file, insecure, alpn);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(SystemTrust {
        provider: Arc::clone(&provider),
        read: OnceLock::new(),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_error("TLS cannot be set up", &error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let unusable = |error: &rustls_pki_types::pem::Error| {
        tls_error(
            &format!("The CA file cannot be read: {}", path.display()),
            error,
        )
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| unusable(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(&error))?;
    if certificates.is_empty() {
        return Err(TransportError::new(
            TransportErrorKind::Tls,
            format!(
                "The CA file holds no certificate in PEM form: {}",
                path.display()
            ),
        ));
    }
    Ok(certificates)
}

fn tls_error(what: &str, error: &(dyn std::error::Error + 'static)) -> TransportError {
    TransportError::from_chain(what, error, TransportErrorKind::Tls)
}

/// The system's own verifier, made when it is first asked.
#[derive(Debug)]
struct SystemTrust {
    provider: Arc<CryptoProvider>,
    read: OnceLock<Result<Verifier, rustls::Error>>,
}

impl SystemTrust {
    fn verifier(&self) -> Result<&Verifier, rustls::Error> {
        let make = || Verifier::new(Arc::clone(&self.provider));
        self.read.get_or_init(make).as_ref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for SystemTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier()?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Accepts every certificate. Only for a target that says `insecure`; the run wears a badge.
#[derive(Debug)]
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
