import JSON
import Testing

@testable import Checkpoints

@Suite struct MergedAdapterTests {
    private let q0 = AdapterSite(layer: 0, module: .q)

    /// What a site's weight gains by the plain definition, in double precision.
    private func delta(
        _ adapters: [Adapter], _ weights: [Float], _ site: AdapterSite, _ merge: Merge, _ config: LlamaConfig
    ) -> [Double] {
        let shape = config.shape(of: site.module)
        var sum = [Double](repeating: 0, count: shape.out * shape.input)
        for (left, w) in zip(adapters, weights) {
            for (right, v) in zip(adapters, weights) {
                let crossed = left.path != right.path
                guard merge == .factors || !crossed, let b = left.pairs[site], let a = right.pairs[site] else {
                    continue
                }
                let weight = Double(w) * (merge == .factors ? Double(v) : 1) * Double(b.scale)
                let (low, high) = (b.b.floats(), a.a.floats())
                for out in 0..<shape.out {
                    for input in 0..<shape.input {
                        for rank in 0..<min(a.rank, b.rank) {
                            sum[out * shape.input + input] +=
                                weight * Double(low[out * b.rank + rank]) * Double(high[rank * shape.input + input])
                        }
                    }
                }
            }
        }
        return sum
    }

    private func product(_ merged: MergedAdapter, _ site: AdapterSite, _ config: LlamaConfig) -> [Double] {
        let shape = config.shape(of: site.module)
        let pair = merged.pairs[site]!
        var sum = [Double](repeating: 0, count: shape.out * shape.input)
        for out in 0..<shape.out {
            for input in 0..<shape.input {
                for rank in 0..<merged.rank {
                    sum[out * shape.input + input] +=
                        Double(pair.b[out * merged.rank + rank]) * Double(pair.a[rank * shape.input + input])
                }
            }
        }
        return sum
    }

    private func expectEqual(_ found: [Double], _ wanted: [Double], _ label: String) {
        let scale = wanted.map(abs).max()!
        let errors = zip(found, wanted).map { abs($0 - $1) }
        #expect(errors.allSatisfy { $0 <= 5e-7 * max(scale, 1e-30) }, "\(label): \(errors.max()!) of \(scale)")
    }

    private func three() throws -> [Adapter] {
        [
            try TinyAdapter(seed: 1).read(), try TinyAdapter(rank: 3, alpha: 5, seed: 2).read(),
            try TinyAdapter(rank: 1, seed: 3, modules: ["self_attn.q_proj", "mlp.down_proj"]).read(),
        ]
    }

    @Test(arguments: Merge.allCases) func isTheWeightedSum(merge: Merge) throws {
        let config = try TinyModel.shape()
        let adapters = try three()
        let weights: [[Float]] = [[0.7, -1.2, 0.4], [1.5, 0, -0.3]]
        for rows in [[weights[0]], weights] {
            let merged = try MergedAdapter(adapters, weights: rows, merge: merge, config: config)
            #expect(merged.rank == (merge == .delta ? 6 : 3))
            #expect(merged.pairs.count == 6)
            for site in merged.pairs.keys {
                let row = rows[rows.count == 1 ? 0 : site.layer]
                expectEqual(product(merged, site, config), delta(adapters, row, site, merge, config), "\(site)")
            }
        }
    }

    @Test func deltaIsNoThickerThanNeeded() throws {
        let config = try TinyModel.shape()
        let adapters = try three()
        #expect(try MergedAdapter(adapters, weights: [[0, 0.5, 0]], merge: .delta, config: config).rank == 3)
        let twice = [adapters[0], adapters[0]]
        #expect(try MergedAdapter(twice, weights: [[0.5, 0.25]], merge: .delta, config: config).rank == 2)
        #expect(try MergedAdapter(twice, weights: [[0.5, -0.5]], merge: .delta, config: config).rank == 1)
        // More columns than a site has rows.
        let many = try (1...6).map { try TinyAdapter(seed: 10 * $0).read() }
        let weights: [Float] = [1, -1, 0.5, 0.25, 2, -0.75]
        let merged = try MergedAdapter(many, weights: [weights], merge: .delta, config: config)
        #expect(merged.rank <= 8)
        for site in merged.pairs.keys {
            expectEqual(product(merged, site, config), delta(many, weights, site, .delta, config), "\(site)")
        }
    }

    @Test func deltaHoldsNoSharersOwnRows() throws {
        let config = try TinyModel.shape()
        let adapters = try three()
        let merged = try MergedAdapter(adapters, weights: [[0.7, -1.2, 0.4]], merge: .delta, config: config)
        func cosine(_ left: ArraySlice<Float>, _ right: ArraySlice<Float>) -> Float {
            func dot(_ x: ArraySlice<Float>, _ y: ArraySlice<Float>) -> Float {
                zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
            }
            return abs(dot(left, right)) / (dot(left, left) * dot(right, right)).squareRoot()
        }
        for adapter in adapters {
            let own = adapter.pairs[q0]!.a.floats()
            for row in stride(from: 0, to: own.count, by: 8) {
                for component in 0..<merged.rank {
                    let mixed = merged.pairs[q0]!.a[component * 8..<(component + 1) * 8]
                    #expect(cosine(own[row..<row + 8], mixed) < 0.999)
                }
            }
        }
    }

    @Test(arguments: Merge.allCases) func theBaseIsZeros(merge: Merge) throws {
        let config = try TinyModel.shape()
        let merged = try MergedAdapter(try three(), weights: [[0, 0, 0]], merge: merge, config: config)
        #expect(merged.rank == 1)
        #expect(merged.pairs.values.allSatisfy { $0.a.allSatisfy { $0 == 0 } && $0.b.allSatisfy { $0 == 0 } })
        #expect(try merged.files(baseName: "b", card: "").count == 3)
    }

    @Test(arguments: Merge.allCases) func readsBackAsWritten(merge: Merge) throws {
        let config = try TinyModel.shape()
        let adapters = try three()
        let merged = try MergedAdapter(adapters, weights: [[0.7, -1.2, 0.4]], merge: merge, config: config)
        let folder = TemporaryFolder()
        let files = try merged.files(baseName: "a \"base\"\n", card: "# A card\n")
        for file in files { folder.write(file.name, file.bytes) }
        let read = try Adapter(folder.path, for: config)
        #expect(read.pairs.count == merged.pairs.count)
        for (site, pair) in merged.pairs {
            #expect(read.pairs[site]?.a.floats() == pair.a && read.pairs[site]?.b.floats() == pair.b)
            #expect(read.pairs[site]?.scale == 1)
        }
        let again = try MergedAdapter(adapters, weights: [[0.7, -1.2, 0.4]], merge: merge, config: config)
        let bytes = try again.files(baseName: "a \"base\"\n", card: "# A card\n")
        #expect(bytes.map(\.bytes) == files.map(\.bytes))
        let configuration = try readJSON("\(folder.path)/adapter_config.json")
        #expect(configuration.object.members.map(\.key) == configuration.object.members.map(\.key).sorted())
        #expect(try configuration.text("base_model_name_or_path") == "a \"base\"\n")
        #expect(try configuration.integer("lora_alpha") == merged.rank)
        #expect(configuration["target_modules"] == .list(["q_proj", "v_proj", "down_proj"].map(JSONValue.string)))
    }

    /// LAPACK's own refusals of NaN, beside which its other failures cannot be brought about.
    @Test func whatLAPACKDoesNotDoIsNoMerge() {
        let spoilt: [Double] = [1, .nan, 0, 1, 2, 3]
        #expect(throws: LAPACKError.self) { _ = try ThinQR(spoilt, rows: 3, columns: 2) }
        #expect(throws: LAPACKError.self) { _ = try ThinSVD(spoilt, rows: 3, columns: 2) }
        let site = AdapterSite(layer: 3, module: .down)
        let failures: [(status: Int32, code: CheckpointError.Code)] = [
            (-1010, .unavailable), (-1011, .unavailable), (4, .notFinite),
        ]
        for (status, code) in failures {
            #expect(throws: LAPACKError.self) { try LAPACKError.check(status, "dgesvd") }
            expect(code, saying: "layers.3.mlp.down_proj: LAPACK's dgesvd gives \(status)") {
                throw CheckpointError(merging: site, LAPACKError(routine: "dgesvd", status: status))
            }
        }
    }

    @Test func refusesToWriteWhatIsNotFinite() throws {
        let config = try TinyModel.shape()
        for merge in Merge.allCases {
            for weight in [Float.infinity, .nan] {
                let merged = try MergedAdapter(try three(), weights: [[weight, 1, 1]], merge: merge, config: config)
                expect(.notFinite, saying: "lower the weights' bound") { _ = try merged.files(baseName: "b", card: "") }
            }
        }
    }
}
