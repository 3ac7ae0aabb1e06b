import Testing

@testable import Manifest

private func read(_ text: String) throws(ManifestError) -> PoolManifest {
    try PoolManifest(Array(text.utf8), file: "pool.json")
}

private let ann = #"{"id": "ann", "adapter": "user_ann", "consent": true}"#

@Suite struct PoolManifestTests {
    @Test func readsMembersAndEmbeddings() throws {
        let pool = try read(
            """
            {"schema": 1, "task": "t", "base": "b", "embeddings": {"file": "e.safetensors", "encoder": "deberta"},
             "members": [\(ann), {"id": 7, "adapter": "x/7", "consent": false, "expires": "2027-02-28"}]}
            """)
        #expect(pool.task == "t" && pool.base == "b")
        #expect(pool.embeddings == .init(file: "e.safetensors", tensor: "sharers", encoder: "deberta"))
        #expect(
            pool.members == [
                .init(id: "ann", adapter: "user_ann", consent: true, expires: nil),
                .init(id: "7", adapter: "x/7", consent: false, expires: "2027-02-28"),
            ])
    }

    @Test func aMemberIsUsableWithConsentUntilItExpires() {
        let always = PoolManifest.Member(id: "a", adapter: "a", consent: true, expires: nil)
        #expect(always.isUsable(on: "2026-11-21"))
        let never = PoolManifest.Member(id: "a", adapter: "a", consent: false, expires: nil)
        #expect(!never.isUsable(on: "2026-11-21"))
        let sometime = PoolManifest.Member(id: "a", adapter: "a", consent: true, expires: "2026-11-21")
        #expect(sometime.isUsable(on: "2026-11-20") && sometime.isUsable(on: "2026-11-21"))
        #expect(!sometime.isUsable(on: "2026-11-22"))
    }

    static let broken: [(text: String, message: String)] = [
        ("{}", "members: nothing; write a list of {id, adapter, consent}"),
        (#"{"members": []}"#, "members: no member; list at least one"),
        (#"{"members": {}}"#, "members: an object; write a list of {id, adapter, consent}"),
        (#"{"members": ["ann"]}"#, "members[0]: a text; write {id, adapter, consent}"),
        (#"{"members": [{"id": "a", "adapter": "a"}]}"#, "members[0].consent: nothing; write true or false"),
        (
            #"{"members": [{"id": "a", "adapter": "a", "consent": "yes"}]}"#,
            "members[0].consent: a text; write true or false"
        ),
        (
            #"{"members": [{"id": "a", "adapter": "../a", "consent": true}]}"#,
            #"members[0].adapter: "../a", which leads upwards; write a path below the pool's folder"#
        ),
        ("{\"members\": [\(ann), \(ann)]}", "members[1].id: ann again; list each member once"),
        ("{\"schema\": 2, \"members\": [\(ann)]}", "schema: 2; write a whole number from 1 to 1"),
        ("{\"member\": 1, \"members\": [\(ann)]}", "member: an unknown key; did you mean members?"),
        ("{\"embeddings\": {}, \"members\": [\(ann)]}", "embeddings.file: nothing; write a safetensors file's name"),
    ]

    @Test(arguments: broken) func namesPlaceFindingAndMend(_ text: String, _ message: String) {
        let error = #expect(throws: ManifestError.self) { try read(text) }
        #expect(error?.mistakes.map(\.description) == ["pool.json: \(message)"])
    }

    @Test(arguments: ["2026-13-01", "2026-02-29", "2026-1-1", "+026-01-01", "20261121", "2026-11-2x", "2026-00-10"])
    func refusesWhatIsNoDay(_ day: String) {
        let text = #"{"members": [{"id": "a", "adapter": "a", "consent": true, "expires": "\#(day)"}]}"#
        let error = #expect(throws: ManifestError.self) { try read(text) }
        #expect(
            error?.mistakes.map(\.description)
                == [#"pool.json: members[0].expires: "\#(day)"; write a day as YYYY-MM-DD"#])
    }

    @Test func knowsLeapDays() throws {
        for day in ["2028-02-29", "2000-02-29"] {
            let text = #"{"members": [{"id": "a", "adapter": "a", "consent": true, "expires": "\#(day)"}]}"#
            #expect(try read(text).members[0].expires == day)
        }
    }
}
