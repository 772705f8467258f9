//! What a server says first: its refs and capabilities (protocols v0 and v1,
//! gitprotocol-pack(5) "Reference Discovery") or its capabilities alone
//! (gitprotocol-v2(5) "Initial Client Request").

use bytes::BytesMut;
use git_id::{HashKind, ObjectId, RefName};

use crate::pkt::{put_flush, put_line};
use crate::{ProtocolVersion, Service};

/// What an advertisement says beside the refs.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// The repository's hash function.
    pub hash: HashKind,
    /// This server's name and version, for example `devflow/0.1.0`.
    pub agent: &'a str,
    /// A token that joins the logs of both sides, if the server wants one.
    pub session_id: Option<&'a str>,
}

/// What upload-pack offers in protocols v0 and v1.
#[derive(Clone, Copy, Debug, Default)]
pub struct UploadOffer<'a> {
    /// Each request is a connection of its own (HTTP): offers `no-done`.
    pub stateless: bool,
    /// Where HEAD points, if that ref exists.
    pub head_target: Option<&'a RefName>,
    /// Wants may name any ref's object, hidden refs included.
    pub allow_tip_in_want: bool,
    /// Wants may name anything that a ref reaches.
    pub allow_reachable_in_want: bool,
    /// Partial clones.
    pub filter: bool,
}

/// What upload-pack offers in protocol v2.
#[derive(Clone, Copy, Debug, Default)]
pub struct V2Offer {
    /// `ls-refs` can tell where HEAD points even if that ref does not exist.
    pub unborn: bool,
    /// Partial clones.
    pub filter: bool,
    /// Refs may be wanted by name.
    pub ref_in_want: bool,
    /// Whole responses may be asked for on the side band.
    pub sideband_all: bool,
    /// The sizes of objects may be asked for.
    pub object_info: bool,
    /// Bundles to begin a clone with may be asked for.
    pub bundle_uri: bool,
}

/// What receive-pack offers.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveOffer {
    /// All or none of a push's commands.
    pub atomic: bool,
    /// Options of the `git push -o` kind.
    pub push_options: bool,
}

/// Appends what precedes an advertisement over smart HTTP, in all versions but
/// v2 (gitprotocol-http(5), "Smart Server Response").
pub fn put_http_service(out: &mut BytesMut, service: Service) {
    put_line(out, format_args!("# service={service}\n"));
    put_flush(out);
}

/// Appends the whole capability advertisement of protocol v2.
pub fn put_v2_capabilities(out: &mut BytesMut, offer: &Offer<'_>, upload: V2Offer) {
    put_line(out, format_args!("version 2\n"));
    put_line(out, format_args!("agent={}\n", offer.agent));
    put_line(
        out,
        format_args!("ls-refs{}\n", if upload.unborn { "=unborn" } else { "" }),
    );
    let word = |offered, word| if offered { word } else { "" };
    let filter = word(upload.filter, " filter");
    let ref_in_want = word(upload.ref_in_want, " ref-in-want");
    let sideband_all = word(upload.sideband_all, " sideband-all");
    put_line(
        out,
        format_args!("fetch=shallow wait-for-done{filter}{ref_in_want}{sideband_all}\n"),
    );
    put_line(out, format_args!("server-option\n"));
    put_line(out, format_args!("object-format={}\n", offer.hash));
    if let Some(id) = offer.session_id {
        put_line(out, format_args!("session-id={id}\n"));
    }
    if upload.object_info {
        put_line(out, format_args!("object-info\n"));
    }
    if upload.bundle_uri {
        put_line(out, format_args!("bundle-uri\n"));
    }
    put_flush(out);
}

/// Renders the refs of protocols v0 and v1, one at a time so that the caller
/// can send what is there at any point.
///
/// Refs come in the order of their names, HEAD before them.
#[derive(Debug)]
pub struct RefAdvertisement {
    capabilities: Option<String>,
    hash: HashKind,
}

impl RefAdvertisement {
    /// Begins upload-pack's advertisement.
    pub fn upload_pack(
        out: &mut BytesMut,
        version: ProtocolVersion,
        offer: &Offer<'_>,
        upload: UploadOffer<'_>,
    ) -> Self {
        let mut words = String::from(
            "multi_ack thin-pack side-band side-band-64k ofs-delta shallow deepen-since \
             deepen-not deepen-relative no-progress include-tag multi_ack_detailed",
        );
        let optional = [
            (upload.allow_tip_in_want, " allow-tip-sha1-in-want"),
            (
                upload.allow_reachable_in_want,
                " allow-reachable-sha1-in-want",
            ),
            (upload.stateless, " no-done"),
            (upload.filter, " filter"),
        ];
        optional
            .iter()
            .filter(|(offered, _)| *offered)
            .for_each(|(_, word)| words.push_str(word));
        if let Some(target) = upload.head_target {
            words.push_str(" symref=HEAD:");
            words.push_str(target.as_str());
        }
        Self::begin(out, version, offer, words)
    }

    /// Begins receive-pack's advertisement.
    pub fn receive_pack(
        out: &mut BytesMut,
        version: ProtocolVersion,
        offer: &Offer<'_>,
        receive: ReceiveOffer,
    ) -> Self {
        let mut words =
            String::from("report-status report-status-v2 delete-refs side-band-64k quiet");
        if receive.atomic {
            words.push_str(" atomic");
        }
        words.push_str(" ofs-delta");
        if receive.push_options {
            words.push_str(" push-options");
        }
        Self::begin(out, version, offer, words)
    }

    /// Appends one ref and, for a ref on an annotated tag, what the tag names.
    pub fn put_ref(
        &mut self,
        out: &mut BytesMut,
        name: &str,
        id: &ObjectId,
        peeled: Option<&ObjectId>,
    ) {
        match self.capabilities.take() {
            Some(words) => put_line(out, format_args!("{id} {name}\0{words}\n")),
            None => put_line(out, format_args!("{id} {name}\n")),
        }
        if let Some(peeled) = peeled {
            put_line(out, format_args!("{peeled} {name}^{{}}\n"));
        }
    }

    /// Ends the advertisement. Without any ref the capabilities are said beside
    /// a ref that is none.
    pub fn finish(mut self, out: &mut BytesMut) {
        if self.capabilities.is_some() {
            let none = ObjectId::null(self.hash);
            self.put_ref(out, "capabilities^{}", &none, None);
        }
        put_flush(out);
    }

    fn begin(
        out: &mut BytesMut,
        version: ProtocolVersion,
        offer: &Offer<'_>,
        mut words: String,
    ) -> Self {
        if version == ProtocolVersion::V1 {
            put_line(out, format_args!("version 1\n"));
        }
        if let Some(id) = offer.session_id {
            words.push_str(" session-id=");
            words.push_str(id);
        }
        words.push_str(" object-format=");
        words.push_str(offer.hash.name());
        words.push_str(" agent=");
        words.push_str(offer.agent);
        Self {
            capabilities: Some(words),
            hash: offer.hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use git_id::{HashKind, ObjectId, RefName};

    use super::{
        Offer, ReceiveOffer, RefAdvertisement, UploadOffer, V2Offer, put_http_service,
        put_v2_capabilities,
    };
    use crate::pkt::{Decoder, Packet};
    use crate::{ProtocolVersion, Service};

    const OFFER: Offer<'_> = Offer {
        hash: HashKind::Sha1,
        agent: "devflow/1",
        session_id: Some("s1"),
    };

    fn lines(wire: &[u8]) -> Vec<String> {
        let mut decoder = Decoder::new();
        decoder.feed(wire);
        let mut lines = Vec::new();
        while let Some(packet) = decoder.next_packet().unwrap() {
            lines.push(match &packet {
                Packet::Data(data) => String::from_utf8(data.to_vec()).unwrap(),
                _ => "flush".to_owned(),
            });
        }
        lines
    }

    #[test]
    fn capabilities_stand_on_the_first_ref_only() {
        let (id, peeled) = (
            ObjectId::from_bytes(&[1; 20]).unwrap(),
            ObjectId::from_bytes(&[2; 20]).unwrap(),
        );
        let main = RefName::branch("main").unwrap();
        let mut out = BytesMut::new();
        put_http_service(&mut out, Service::UploadPack);
        let upload = UploadOffer {
            stateless: true,
            head_target: Some(&main),
            filter: true,
            ..UploadOffer::default()
        };
        let mut refs = RefAdvertisement::upload_pack(&mut out, ProtocolVersion::V1, &OFFER, upload);
        refs.put_ref(&mut out, "HEAD", &id, None);
        refs.put_ref(&mut out, "refs/tags/v1", &id, Some(&peeled));
        refs.finish(&mut out);
        assert_eq!(
            lines(&out),
            [
                "# service=git-upload-pack\n".to_owned(),
                "flush".to_owned(),
                "version 1\n".to_owned(),
                format!(
                    "{id} HEAD\0multi_ack thin-pack side-band side-band-64k ofs-delta shallow \
                     deepen-since deepen-not deepen-relative no-progress include-tag \
                     multi_ack_detailed no-done filter symref=HEAD:refs/heads/main session-id=s1 \
                     object-format=sha1 agent=devflow/1\n"
                ),
                format!("{id} refs/tags/v1\n"),
                format!("{peeled} refs/tags/v1^{{}}\n"),
                "flush".to_owned(),
            ]
        );
    }

    #[test]
    fn an_empty_repository_still_says_its_capabilities() {
        let mut out = BytesMut::new();
        let offer = ReceiveOffer {
            atomic: true,
            push_options: true,
        };
        RefAdvertisement::receive_pack(&mut out, ProtocolVersion::V0, &OFFER, offer)
            .finish(&mut out);
        assert_eq!(
            lines(&out),
            [
                "0000000000000000000000000000000000000000 capabilities^{}\0report-status \
                 report-status-v2 delete-refs side-band-64k quiet atomic ofs-delta push-options \
                 session-id=s1 object-format=sha1 agent=devflow/1\n",
                "flush",
            ]
        );
    }

    #[test]
    fn version_two_says_capabilities_alone() {
        let mut out = BytesMut::new();
        let offer = Offer {
            hash: HashKind::Sha256,
            session_id: None,
            ..OFFER
        };
        let upload = V2Offer {
            unborn: true,
            filter: true,
            ref_in_want: true,
            sideband_all: true,
            object_info: true,
            bundle_uri: true,
        };
        put_v2_capabilities(&mut out, &offer, upload);
        assert_eq!(
            lines(&out),
            [
                "version 2\n",
                "agent=devflow/1\n",
                "ls-refs=unborn\n",
                "fetch=shallow wait-for-done filter ref-in-want sideband-all\n",
                "server-option\n",
                "object-format=sha256\n",
                "object-info\n",
                "bundle-uri\n",
                "flush",
            ]
        );
    }
}
