import Foundation

@testable import Tokenizers

/// What the tokenizers library and sentencepiece make of some hundred texts (Fixtures/make_fixtures.py).
struct Expected: Decodable {
    struct Form: Decodable {
        var bos: Int32
        var ids: [[Int32]]
        var decoded: [String]
        var drawn: Drawn
    }

    /// Ids that no text gives.
    struct Drawn: Decodable {
        var ids: [[Int32]]
        var decoded: [String]
    }

    var texts: [String]
    var forms: [String: Form]

    static let all: Expected = try! JSONDecoder().decode(Expected.self, from: fixture("expected.json"))
}

/// A tokenizer's file of a form, by the form's name in expected.json.
func file(of form: String) -> URL {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    switch form {
    case "example":
        return folder.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "examples/debian/models/debian-llama-4m/tokenizer.json")
    case "sentencepiece": return folder.appending(path: "Fixtures/sentencepiece/tokenizer.model")
    default: return folder.appending(path: "Fixtures/\(form)/tokenizer.json")
    }
}

func bytes(of form: String) -> [UInt8] { try! Array(Data(contentsOf: file(of: form))) }

func tokenizer(_ form: String) throws -> Tokenizer {
    try Tokenizer(folder: file(of: form).deletingLastPathComponent().path)
}

func fixture(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)"))
}

/// What `body` takes of this thread alone, so that tests beside it do not count.
func processorSeconds(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    try body()
    return now() - start
}
