import Testing

@testable import JSON

@Suite struct JSONTests {
    func read(_ text: String, json5: Bool = false) throws -> JSONValue {
        var reader = try JSONReader(Array(text.utf8), file: "f", json5: json5)
        return try reader.document()
    }

    @Test func valuesAreRead() throws {
        let object = JSONObject(members: [
            ("a", .list([.number("1"), .number("-0.5e+3"), .bool(true), .null])), ("b", .string("x\n\u{E9}")),
        ])
        #expect(try read(#" {"a": [1, -0.5e+3, true, null], "b": "x\n\u00e9"} "#) == .object(object))
        #expect(object["a"]?.kind == "a list")
        #expect(object["c"] == nil)
        #expect(try read("[]") == .list([]))
    }

    @Test func valuesAreWrittenAsTheyWereRead() throws {
        let text =
            #"{"z":[1,-0.50e+3,true,false,null,[],{}],"a\"\\":"é\u0000\u001f\u007f \ud83d\ude00","nested":{"b":{"a":[[1],[]]}}}"#
        let written = String(decoding: try read(text).encoded, as: UTF8.self)
        #expect(
            written
                == #"{"z":[1,-0.50e+3,true,false,null,[],{}],"a\"\\":"é\u0000\u001f"#
                + "\u{7f} \u{1f600}" + #"","nested":{"b":{"a":[[1],[]]}}}"#)
        #expect(try read(written) == read(text))
    }

    @Test func json5IsForPeople() throws {
        let text = """
            // a comment
            {name: 'it\\'s', /* and
            another */ list: [1, 2,], "text": "two \\
            lines",}
            """
        let expected = JSONObject(members: [
            ("name", .string("it's")), ("list", .list([.number("1"), .number("2")])), ("text", .string("two lines")),
        ])
        #expect(try read(text, json5: true) == .object(expected))
        #expect(throws: JSONError.self) { try read(text) }
        for part in ["{a: 1}", "[1,]", "'a'", "[1] // end"] { #expect(throws: JSONError.self) { try read(part) } }
    }

    @Test(
        arguments: [
            (JSONError.Code.malformed, "f: line 1, column 1", ""), (.malformed, "f: line 2, column 3", "{\n\"a"),
            (.malformed, "f: line 1, column 4", "[1 2]"), (.malformed, "f: line 1, column 3", "{}}"),
            (.malformed, "f: line 1, column 2", "[,]"), (.malformed, "f: line 1, column 5", #"{"a"}"#),
            (.malformed, "f: line 1, column 2", "-"), (.malformed, "f: line 1, column 1", "+1"),
            (.malformed, "f: line 1, column 1", "tru"), (.malformed, "f: line 1, column 3", #""\"#),
            (.duplicate, "f: line 1, column 10", #"{"a": 1, "a": 2}"#), (.notFinite, "f: line 1, column 2", "[NaN]"),
            (.notFinite, "f: line 1, column 1", "-1e400"),
            (.tooLarge, "f: line 1, column 34", String(repeating: "[", count: 99)),
        ] as [(JSONError.Code, String, String)])
    func mistakesHaveAPlace(code: JSONError.Code, place: String, text: String) throws {
        let error = try #require(throws: JSONError.self) { try read(text) }
        #expect(error.code == code)
        #expect(error.place == place)
    }

    @Test func elementsComeOneByOne() throws {
        func all(_ text: String) throws -> [JSONValue] {
            var reader = try JSONReader(Array(text.utf8), file: "f")
            var values: [JSONValue] = []
            while let value = try reader.next() { values.append(value) }
            return values
        }
        #expect(try all("[1, [2], {}]") == [.number("1"), .list([.number("2")]), .object(JSONObject(members: []))])
        #expect(try all("{}\n{}\n").count == 2)
        #expect(try all("").isEmpty)
        #expect(try all(" [ ] ").isEmpty)
        for text in ["[1", "[1,]", "[1 2]", "[] []", "[1]]", "{} ]"] {
            #expect(throws: JSONError.self) { try all(text) }
        }
    }

    @Test(arguments: ["a", "A9", "_", "0", "nightly-2026.11_20", String(repeating: "x", count: 128)])
    func takesPlainIDs(_ id: String) {
        #expect(isPlainID(id))
        #expect(plainID(of: id) == id)
    }

    @Test(arguments: [
        "", ".", "..", "-x", ".x", "a b", "a/b", "a\n", "é", "a\u{0}", String(repeating: "x", count: 129),
    ])
    func refusesOtherIDs(_ id: String) {
        #expect(!isPlainID(id))
        #expect(isPlainID(plainID(of: id)))
    }

    @Test func namesAreSafeAndNear() {
        #expect(printable("a\u{1B}[31m\n\u{202E}") == "a\\u{1b}[31m\\u{a}\\u{202e}")
        #expect(printable(String(repeating: "x", count: 200)).count == 83)
        #expect(nearest(to: "Optimiser", in: ["budget", "optimizer", "seed"]) == "optimizer")
        #expect(nearest(to: "x", in: []) == nil)
        // Letters too many in front, too few, and others; of equally near ones the one that begins alike.
        #expect(nearest(to: "xxxseed", in: ["xs", "seed"]) == "seed")
        #expect(nearest(to: "eed", in: ["ee_", "seed_x", "seed"]) == "ee_")
        #expect(nearest(to: "top_p", in: ["top_k", "stop_p"]) == "top_k")
        #expect(nearest(to: "abcdef", in: ["fedcba", "abc", "xbcdey"]) == "xbcdey")
    }
}
