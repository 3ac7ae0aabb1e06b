import Glibc
import Posix
import Testing

@testable import Checkpoints

@Suite struct SafetensorsTests {
    let folder = TemporaryFolder()

    private func read(_ bytes: [UInt8]) throws -> Safetensors {
        folder.write("t.safetensors", bytes)
        return try Safetensors("\(folder.path)/t.safetensors")
    }

    @Test func readsTheThreeTypes() throws {
        var file = TensorFile()
        file["wide"] = .init(shape: [2, 2], values: [1, -2, 0.5, 1e-30])
        file["brain"] = .init(type: "BF16", shape: [3], halves: [0x3f80, 0xc040, 0x0001])
        file["half"] = .init(type: "F16", shape: [5], halves: [0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000])
        let read = try read(file.bytes())
        #expect(read.names == ["brain", "half", "wide"])
        #expect(read["wide"]?.floats() == [1, -2, 0.5, 1e-30])
        #expect(read["wide"]?.shape == [2, 2])
        #expect(read["brain"]?.floats() == [1, -3, Float(bitPattern: 0x1_0000)])
        #expect(read["half"]?.floats() == [1, -2, 0x1p-24, 65504, -0.0])
        #expect(read["none"] == nil)
    }

    @Test(arguments: 0..<4) func readsUnalignedNumbers(padding: Int) throws {
        var file = TensorFile()
        file["t"] = .init(shape: [3], values: [1, 2, 3])
        let read = try read(file.bytes { $0 + String(repeating: " ", count: padding) })
        #expect(read["t"]?.floats() == [1, 2, 3])
        #expect(read["t"]?.isFinite == true)
    }

    @Test func acceptsGapsEmptyTensorsAndScalars() throws {
        let header = """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]},
            "none":{"dtype":"F32","shape":[0,4],"data_offsets":[4,4]}}
            """
        let read = try read(
            TensorFile.file(header: Array(header.utf8), numbers: [9, 9, 9, 9, 0, 0, 0x80, 0x3f, 9, 9, 9, 9]))
        #expect(read["a"]?.floats() == [1])
        #expect(read["none"]?.floats() == [])
    }

    /// The largest numbers, and infinity and NaN of both signs, in the bits of each type.
    @Test(arguments: [
        ("BF16", [UInt16(0x7f7f), 0xff7f, 0x007f], [UInt16(0x7f80), 0xff80, 0x7fc0, 0xffff, 0x7f81]),
        ("F16", [0x7bff, 0xfbff, 0x03ff], [0x7c00, 0xfc00, 0x7e00, 0xffff, 0x7c01]),
    ]) func findsNaNAnywhere(type: String, finite: [UInt16], others: [UInt16]) throws {
        for count in 1...9 {
            for place in 0..<count {
                var halves = (0..<count).map { finite[$0 % finite.count] }
                func isFinite() throws -> Bool? {
                    var file = TensorFile()
                    file["t"] = .init(type: type, shape: [count], halves: halves)
                    return try read(file.bytes())["t"]?.isFinite
                }
                #expect(try isFinite() == true)
                for other in others {
                    halves[place] = other
                    #expect(try isFinite() == false, "\(other) at \(place) of \(count)")
                }
            }
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, .signalingNaN]) func findsNaNInWideNumbers(value: Float) throws
    {
        for count in 1...3 {
            var values = [Float](repeating: -.greatestFiniteMagnitude, count: count)
            var file = TensorFile()
            file["t"] = .init(shape: [count], values: values)
            #expect(try read(file.bytes())["t"]?.isFinite == true)
            values[count - 1] = value
            file["t"] = .init(shape: [count], values: values)
            #expect(try read(file.bytes())["t"]?.isFinite == false)
        }
    }

    @Test func releasedPagesComeBack() throws {
        var file = TensorFile()
        file["first"] = .numbers([100])
        file["t"] = .numbers([5000])
        let tensor = try #require(try read(file.bytes())["t"])
        let before = tensor.floats()
        tensor.releasePages()
        #expect(tensor.floats() == before)
    }

    /// Headers over twelve bytes of numbers.
    @Test(arguments: [
        (
            #"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}}"#, CheckpointError.Code.truncated,
            "offsets [0, 16]"
        ),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[-4,8]}}"#, .truncated, "offsets [-4, 8]"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[8,0]}}"#, .truncated, "offsets [8, 0]"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,9223372036854775807]}}"#, .truncated, "offsets"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,18446744073709551616]}}"#, .malformed, "a list of 2"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0.5,12]}}"#, .malformed, "a list of 2"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, .wrongShape, "needs 12 bytes"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0]}}"#, .malformed, "an incomplete entry"),
        (#"{"t":{"dtype":"F32","shape":[3]}}"#, .malformed, "an incomplete entry"),
        (#"{"t":{"dtype":"F32","shape":[-3],"data_offsets":[0,12]}}"#, .wrongShape, "shape [-3]"),
        (
            #"{"t":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,12]}}"#, .wrongShape,
            "more than a machine can hold"
        ),
        (#"{"t":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,3],"data_offsets":[0,12]}}"#, .wrongShape, "9 sizes"),
        (#"{"t":{"dtype":"I8","shape":[12],"data_offsets":[0,12]}}"#, .unsupported, "dtype I8"),
        (#"{"t":{"dtype":"F8_E4M3","shape":[12],"data_offsets":[0,12]}}"#, .unsupported, "dtype F8_E4M3"),
        (#"{"t":{"dtype":5,"shape":[12],"data_offsets":[0,12]}}"#, .malformed, "t.dtype: 5"),
        (#"{"t":7}"#, .malformed, "t: 7"),
        (#"{"__metadata__":{"a":1}}"#, .malformed, "__metadata__.a: 1"),
        (#"{"__metadata__":[]}"#, .malformed, "__metadata__"),
        (#"[1,2]"#, .malformed, "header: a list; give an object"),
        (#"{"t":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}"#, .malformed, "no comma or }"),
        (#"{} {}"#, .malformed, "more after the end"),
        (
            #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            .malformed, "the key t twice"
        ),
        (
            #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0074":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            .malformed, "the key t twice"
        ),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            .malformed, "a and b lie on the same bytes"
        ),
        (
            #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"e":{"dtype":"F32","shape":[0],"data_offsets":[4,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#,
            .malformed, "a and b lie on the same bytes"
        ),
    ]) func refusesHeaders(header: String, code: CheckpointError.Code, words: String) {
        expect(code, saying: words) {
            _ = try read(TensorFile.file(header: Array(header.utf8), numbers: [UInt8](repeating: 0, count: 12)))
        }
    }

    @Test func refusesFilesThatAreCutOff() {
        expect(.truncated, saying: "0 bytes") { _ = try read([]) }
        expect(.truncated, saying: "7 bytes") { _ = try read([1, 2, 3, 4, 5, 6, 7]) }
        expect(.truncated, saying: "a length of 1000") {
            _ = try read(TensorFile.file(header: Array("{}".utf8), length: 1000, numbers: []))
        }
        expect(.truncated, saying: "a length of 18446744073709551615") {
            _ = try read(TensorFile.file(header: Array("{}".utf8), length: .max, numbers: []))
        }
        expect(.malformed, saying: "the end of the file where a value belongs") {
            _ = try read(TensorFile.file(header: [], numbers: []))
        }
        var file = TensorFile()
        file["t"] = .numbers([16])
        let bytes = file.bytes()
        for length in stride(from: 0, to: bytes.count, by: 3) {
            #expect(throws: CheckpointError.self) { try read(Array(bytes[..<length])) }
        }
    }

    @Test func refusesWhatIsNoText() {
        expect(.malformed, saying: "bytes that are not UTF-8") {
            _ = try read(TensorFile.file(header: [0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d], numbers: []))
        }
        let deep = String(repeating: "[", count: 1_000_000)
        expect(.malformed, saying: "nested deeper than 32") {
            _ = try read(TensorFile.file(header: Array(#"{"t":\#(deep)"#.utf8), numbers: []))
        }
    }

    @Test func namesInMessagesAreSafeForATerminal() {
        let header = #"{"a\u001b[31m":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#
        expect(.unsupported, saying: "a\\u{1b}[31m") {
            _ = try read(TensorFile.file(header: Array(header.utf8), numbers: [UInt8](repeating: 0, count: 8)))
        }
    }

    @Test func refusesWhatIsNoRegularFile() throws {
        folder.write("real.safetensors", TensorFile().bytes())
        symlink("\(folder.path)/real.safetensors", "\(folder.path)/link.safetensors")
        mkdir("\(folder.path)/folder.safetensors", 0o755)
        mkfifo("\(folder.path)/pipe.safetensors", 0o644)
        expect(.escape, saying: "a symbolic link") { _ = try Safetensors("\(folder.path)/link.safetensors") }
        expect(.unreadable, saying: "no regular file") { _ = try Safetensors("\(folder.path)/folder.safetensors") }
        expect(.unreadable, saying: "no regular file") { _ = try Safetensors("\(folder.path)/pipe.safetensors") }
        expect(.unreadable, saying: "No such file") { _ = try Safetensors("\(folder.path)/none.safetensors") }
    }

    @Test func aFailingDiskIsNoFaultOfTheFile() {
        #expect(CheckpointError(opening: "a", PosixError(call: "open", path: "a", errno: EIO)).code == .unavailable)
        #expect(CheckpointError(opening: "a", PosixError(call: "open", path: "a", errno: ENOENT)).code == .unreadable)
    }

    @Test func writesTheSameBytesInAnyOrder() throws {
        let a = Safetensors.Entry("a", [2], [1, 2])
        let b = Safetensors.Entry("b \"quoted\"", [1, 1], [3])
        let bytes = Safetensors.encoded([b, a])
        #expect(bytes == Safetensors.encoded([a, b]))
        #expect(bytes[0] % 8 == 0)
        let read = try read(bytes)
        #expect(read.names == ["a", "b \"quoted\""])
        #expect(read["a"]?.floats() == [1, 2])
        #expect(read["b \"quoted\""]?.floats() == [3])
        #expect(bytes.firstRange(of: Array(#""__metadata__":{"format":"pt"}"#.utf8)) != nil)
    }
}
