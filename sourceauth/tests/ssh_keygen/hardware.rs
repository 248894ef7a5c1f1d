//! Keys in hardware, with the test as the hardware: it signs what PROTOCOL.u2f says that it signs.

use super::bench::{Bench, NOW, image, keyring, run};
use odeon_sourceauth::{Rejection, SignatureError};
use signature::Signer;
use ssh_key::public::{KeyData, SkEcdsaSha2NistP256, SkEd25519};
use ssh_key::rand_core::OsRng;
use ssh_key::sha2::{Digest, Sha256};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, PrivateKey, PublicKey, SshSig};

const APPLICATION: &str = "ssh:";
const TOUCHED: u8 = 0x01;

struct Hardware {
    inside: PrivateKey,
    public: PublicKey,
}

impl Hardware {
    fn both() -> [Self; 2] {
        [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }].map(|kind| {
            let inside = PrivateKey::random(&mut OsRng, kind).unwrap();
            let public: KeyData = match inside.public_key().key_data() {
                KeyData::Ed25519(key) => SkEd25519::new(*key, APPLICATION).into(),
                KeyData::Ecdsa(ssh_key::public::EcdsaPublicKey::NistP256(point)) => {
                    SkEcdsaSha2NistP256::new(*point, APPLICATION).into()
                }
                other => panic!("{other:?}"),
            };
            Self { inside, public: public.into() }
        })
    }

    fn line(&self) -> String {
        format!("alice@example.org {}", self.public.to_openssh().unwrap())
    }

    fn sign(&self, bytes: &[u8], flags: u8) -> String {
        self.sign_as(&self.public, self.public.algorithm().as_str(), bytes, flags)
    }

    fn sign_as(&self, key: &PublicKey, algorithm: &str, bytes: &[u8], flags: u8) -> String {
        let message = SshSig::signed_data("odeon-image", HashAlg::Sha512, bytes).unwrap();
        let mut added = vec![flags];
        added.extend(7_u32.to_be_bytes());
        let signed = [&Sha256::digest(APPLICATION)[..], &added, &Sha256::digest(&message)].concat();
        let made = self.inside.try_sign(&signed).unwrap();
        let made = [string(algorithm.as_bytes()), string(made.as_bytes()), added].concat();
        let key = string(&key.to_bytes().unwrap());
        let fields = [string(b"odeon-image"), string(b""), string(b"sha512"), string(&made)].concat();
        let all = [&b"SSHSIG"[..], &1_u32.to_be_bytes(), &key, &fields].concat();
        let lines = data_encoding::BASE64.encode(&all);
        let lines: Vec<_> = lines.as_bytes().chunks(70).map(|l| std::str::from_utf8(l).unwrap()).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

#[test]
fn a_hardware_key_that_was_touched_signs_images_here_as_it_does_for_ssh_keygen() {
    let (bench, image) = (Bench::new(), image());
    for hardware in Hardware::both() {
        let signature = hardware.sign(image.bytes(), TOUCHED);
        let (signers, file) = (bench.path("allowed"), bench.path("sig"));
        std::fs::write(&signers, hardware.line()).unwrap();
        std::fs::write(&file, &signature).unwrap();
        let (s, f) = (file.to_str().unwrap(), signers.to_str().unwrap());
        run(vec!["-Y", "verify", "-n", "odeon-image", "-I", "alice@example.org", "-s", s, "-f", f], image.bytes());
        let verified = keyring(&hardware.line()).judge(image.clone(), std::slice::from_ref(&signature), NOW).unwrap();
        assert_eq!(verified.approval().by, "alice@example.org");
    }
}

#[test]
fn a_hardware_key_that_nobody_touched_signs_nothing() {
    let image = image();
    for hardware in Hardware::both() {
        // Neither without any flag nor by one that says something else.
        for flags in [0, 0x04, 0xfe] {
            let signature = hardware.sign(image.bytes(), flags);
            let rejection =
                keyring(&hardware.line()).judge(image.clone(), std::slice::from_ref(&signature), NOW).unwrap_err();
            let fingerprint = hardware.public.fingerprint(HashAlg::Sha256).to_string();
            assert_eq!(rejection, Rejection::SignatureInvalid(SignatureError::NobodyPresent { fingerprint }));
        }
    }
}

#[test]
fn a_hardware_keys_signature_holds_for_its_bytes_flags_and_key_only() {
    let image = image();
    for hardware in Hardware::both() {
        let judge =
            |signature: &str| keyring(&hardware.line()).judge(image.clone(), &[signature.to_owned()], NOW).unwrap_err();
        let mismatch = Rejection::SignatureInvalid(SignatureError::Mismatch);
        assert_eq!(judge(&hardware.sign(b"other bytes", TOUCHED)), mismatch);
        // The flag is signed: to set it afterwards breaks the signature.
        let untouched = hardware.sign(image.bytes(), 0);
        let inside: String = untouched.lines().filter(|l| !l.starts_with('-')).collect();
        let mut bytes = data_encoding::BASE64.decode(inside.as_bytes()).unwrap();
        let at = bytes.len() - 5;
        bytes[at] = TOUCHED;
        let forged = data_encoding::BASE64.encode(&bytes);
        let forged = format!("-----BEGIN SSH SIGNATURE-----\n{forged}\n-----END SSH SIGNATURE-----\n");
        assert_eq!(judge(&forged), mismatch);
        // What the same secret makes outside of hardware is of another kind.
        let plain = hardware.sign_as(&hardware.public, "ssh-ed25519", image.bytes(), TOUCHED);
        assert!(matches!(
            judge(&plain),
            Rejection::SignatureInvalid(SignatureError::Malformed { .. } | SignatureError::OtherAlgorithm { .. })
        ));
    }
}
