import Testing

@testable import Checkpoints

@Suite struct JSONTests {
    private func members(_ text: [UInt8]) throws -> [JSONMember] {
        var members: [JSONMember] = []
        try text.withUnsafeBytes { bytes in
            try readJSON(bytes, place: "x.json") { (member) throws(CheckpointError) in members.append(member) }
        }
        return members
    }

    private func value(_ text: String) throws -> JSONValue { try members(Array(#"{"v":\#(text)}"#.utf8))[0].value }

    @Test(arguments: [
        ("null", JSONValue.null), ("true", .bool(true)), ("false", .bool(false)), ("0", .integer(0)),
        ("-12", .integer(-12)),
        ("9223372036854775807", .integer(.max)), ("9223372036854775808", .number(9223372036854775808)),
        ("1e3", .number(1000)), ("-0.5E-1", .number(-0.05)), (#""""#, .string("")),
        (#""a\"\\\/\b\f\n\r\té😀""#, .string("a\"\\/\u{8}\u{c}\n\r\té😀")), ("[ ]", .list([])), ("{ }", .object([])),
        ("[1, [2]]", .list([.integer(1), .list([.integer(2)])])),
    ]) func reads(text: String, expected: JSONValue) throws {
        #expect(try value(text) == expected)
    }

    @Test func keepsTheOrderOfMembers() throws {
        #expect(try members(Array(#" { "b" : 1 , "a" : 2 } "#.utf8)).map(\.name) == ["b", "a"])
    }

    @Test(arguments: [
        "", "nul", "truth", "01", "-", "1.", ".5", "1e", "+1", "NaN", "Infinity", "1e999", "\"", "\"\\x\"", "\"\\u12\"",
        "\"\\u+123\"", "\"\\ud83d\"", "\"\\ud83d\\u0041\"", "\"\\ude00\"", "\"\t\"", "[1,]", "[1 2]", "[", "{\"a\"}",
        "{\"a\":1,}", "{a:1}", "{\"a\":1,\"a\":1}", "// comment", "'single'",
    ]) func refuses(text: String) {
        #expect(throws: CheckpointError.self) { try value(text) }
    }

    @Test func survivesEveryCutAndEveryByte() {
        let text = Array(#"{"a":[1,-2.5e3,"x\u00e9",{"b":null}],"c":true}"#.utf8)
        for length in 0..<text.count { #expect(throws: CheckpointError.self) { try members(Array(text[..<length])) } }
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[index] = byte
                _ = try? members(changed)
            }
        }
    }
}

@Suite struct SHA256Tests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ]) func knownDigests(text: String, digest: String) {
        var hash = SHA256()
        hash.add(Array(text.utf8))
        #expect(hash.hexDigest() == digest)
        var pieces = SHA256()
        for byte in text.utf8.prefix(1000) { pieces.add(CollectionOfOne(byte)) }
        pieces.add(Array(text.utf8.dropFirst(1000)))
        #expect(pieces.hexDigest() == digest)
    }
}
