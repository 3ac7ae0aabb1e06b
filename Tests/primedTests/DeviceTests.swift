import Foundation
import StandIn
import Testing

/// The binary on a GPU that fails, of which the stand-in makes any.
@Suite struct DeviceTests {
    /// The environment of a run on the stand-in.
    private func standIn(_ more: [String: String] = [:]) throws -> [String: String] {
        let folder = try StandIn.folder()
        return [
            "PRIMED_CUDA_LIBRARIES": folder, "PRIMED_KERNELS": "\(folder)/kernels", "PRIMED_DEVICES": "cuda:0",
            "STAND_IN_MEMORY": "256M",
        ].merging(more) { $1 }
    }

    private let prompts = """
        {"id":"a","prompt":"Description: a Perl module Tag:","answer":" perl"}
        {"id":"b","prompt":"Description: fonts Tag:","answer":" fonts"}
        """

    /// - Parameter prompts: nil for two whose answers are a word.
    private func predict(
        _ scene: Scene, asking prompts: String? = nil, tokens: Int = 2, _ more: [String: String]
    ) throws -> Scene.Ending {
        try scene.start(
            ["predict", "--model", Scene.model, "--max-new-tokens", "\(tokens)"], input: prompts ?? self.prompts,
            environment: standIn(more)
        ).ending()
    }

    @Test func theGPUPredictsWhatTheCPUDoes() throws {
        let scene = try Scene()
        let report = scene.path("report-%.json")
        let onGPU = try predict(scene, ["STAND_IN_REPORT": report])
        #expect(onGPU.status == 0, "\(onGPU.errors)")
        let onCPU = try predict(scene, ["PRIMED_DEVICES": "cpu"])
        struct Line: Decodable {
            let output: String
            let logprob: Double
        }
        func read(_ ending: Scene.Ending) throws -> [Line] {
            try ending.lines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
        for (one, other) in zip(try read(onGPU), try read(onCPU)) {
            #expect(one.output == other.output)
            #expect(abs(one.logprob - other.logprob) < 0.05 * abs(other.logprob))
        }
        // All that was taken was given back, and memory was asked for once.
        struct Report: Decodable {
            let allocations, allocations_ever, modules, streams, events, host_allocations, launches: Int
            let graphs: Int
        }
        let name = try #require(try scene.names(in: ".").first { $0.hasPrefix("report-") })
        let found = try JSONDecoder().decode(Report.self, from: try scene.bytes(name))
        #expect(found.launches > 0)
        #expect(found.allocations_ever == 1)
        let held = [
            found.allocations, found.modules, found.streams, found.events, found.host_allocations,
            found.graphs,
        ]
        #expect(held.allSatisfy { $0 == 0 })
    }

    /// cuBLAS may refuse in a recorded step what it does in any other.
    @Test(arguments: ["cublasGemmEx:capture:14", "cuLaunchKernel:capture:906", "cuGraphInstantiateWithFlags:1:2"])
    func aStepThatCannotBeRecordedRunsCallByCall(_ fault: String) throws {
        let prompts = #"{"id":"a","prompt":"Package: lib"}"# + "\n" + #"{"id":"b","prompt":"Description: a"}"#
        func predicted(_ fault: String?) throws -> (answers: [String], graphLaunches: Int) {
            let scene = try Scene()
            let more = ["STAND_IN_REPORT": scene.path("report-%.json")]
            let ending = try predict(
                scene, asking: prompts, tokens: 10, fault.map { more.merging(["STAND_IN_FAIL": $0]) { $1 } } ?? more)
            #expect(ending.status == 0, "\(ending.errors)")
            struct Report: Decodable { let graph_launches: Int }
            let name = try #require(try scene.names(in: ".").first { $0.hasPrefix("report-") })
            return (ending.lines, try JSONDecoder().decode(Report.self, from: scene.bytes(name)).graph_launches)
        }
        let (recorded, oneByOne) = (try predicted(nil), try predicted(fault))
        #expect(recorded.graphLaunches > 0)
        #expect(oneByOne.graphLaunches == 0)
        #expect(oneByOne.answers == recorded.answers)
    }

    @Test(arguments: [
        ("cuLaunchKernel:17:719", "cuLaunchKernel of pcu_", "CUDA_ERROR_LAUNCH_FAILED"),
        ("cublasGemmEx:5:13", "cublasGemmEx of [", "execution failed"),
        ("cuMemcpyDtoHAsync_v2:1:700", "cuMemcpyDtoHAsync on cuda:0 (stand-in)", "CUDA_ERROR_ILLEGAL_ADDRESS"),
    ])
    func anErrorNamesTheCallAndThePlace(_ fault: String, _ call: String, _ reason: String) throws {
        let ending = try predict(try Scene(), ["STAND_IN_FAIL": fault])
        #expect(ending.status == 69)
        #expect(ending.errors.contains(call) && ending.errors.contains(reason), "\(ending.errors)")
        #expect(ending.out.isEmpty)
    }

    /// What fails before anything was asked of the device: it is not up, another process has it, or its memory.
    static let notReady = [
        ("cuInit:1:100", "cuInit on the driver", "CUDA_ERROR_NO_DEVICE"),
        ("cuInit:1:999", "cuInit on the driver", "CUDA_ERROR_UNKNOWN"),
        ("cuDevicePrimaryCtxRetain:1:46", "cuDevicePrimaryCtxRetain on cuda:0", "CUDA_ERROR_DEVICE_UNAVAILABLE"),
        ("cuDevicePrimaryCtxRetain:1:802", "cuDevicePrimaryCtxRetain on cuda:0", "CUDA_ERROR_SYSTEM_NOT_READY"),
        ("cuMemAlloc_v2:1:2", "cuMemAlloc on cuda:0 (stand-in)", "CUDA_ERROR_OUT_OF_MEMORY"),
        ("cublasCreate_v2:1:3", "cublasCreate on cuda:0 (stand-in)", "no memory"),
    ]

    @Test(arguments: notReady)
    func aGPUThatIsNotReadyIsNamedWithItsCall(_ fault: String, _ call: String, _ reason: String) throws {
        let ending = try predict(try Scene(), ["STAND_IN_FAIL": fault])
        #expect(ending.status == 69)
        #expect(ending.errors.contains(call) && ending.errors.contains(reason), "\(ending.errors)")
        #expect(ending.out.isEmpty)
    }

    /// Memory that others hold failed jobs for good, and a fabric manager that was not up took the slot away.
    @Test(arguments: ["cuMemAlloc_v2:1:2", "cuDevicePrimaryCtxRetain:1:802"])
    func aGPUThatIsNotReadyFailsNoJob(_ fault: String) throws {
        let scene = try Scene()
        try FileManager.default.copyItem(
            atPath: try scene.manifest("waits"), toPath: scene.path("inbox/waits.json"))
        let daemon = try scene.start(
            ["serve", "--config", scene.path("primed.json5")], environment: try standIn(["STAND_IN_FAIL": fault]))
        #expect(try scene.wait { daemon.said.contains("device-not-ready") })
        daemon.process.terminate()
        #expect(try daemon.ending().status == 0)
        #expect(!scene.exists("outbox/waits"))
        #expect(!daemon.said.contains("device-lost"))
        #expect(try scene.onSite("serve", "--once").status == 0)
        #expect(try scene.result("waits").status == "done")
    }

    /// A card that is too small for the model, and one that is too small for what it computes.
    @Test(arguments: [("36M", "and the model takes 6 MiB"), ("44M", "no room for")])
    func whatDoesNotFitIsRefusedBeforeTheWorkStarts(_ memory: String, _ words: String) throws {
        let ending = try predict(try Scene(), ["STAND_IN_MEMORY": memory])
        #expect(ending.status == 69)
        #expect(ending.errors.contains("cuda:0 (stand-in)") && ending.errors.contains(words), "\(ending.errors)")
        #expect(ending.out.isEmpty)
    }

    /// While the model is loaded, and while the history is predicted.
    @Test(arguments: ["cuStreamSynchronize:40:214", "cuLaunchKernel:300:214"])
    func aLostGPUCostsTheJobNothing(_ fault: String) throws {
        let scene = try Scene()
        try FileManager.default.copyItem(
            atPath: try scene.manifest("waits"), toPath: scene.path("inbox/waits.json"))
        let environment = try standIn(["STAND_IN_FAIL": fault])
        let first = try scene.start(
            ["serve", "--once", "--config", scene.path("primed.json5")], environment: environment
        ).ending()
        #expect(first.status == 75)
        #expect(first.errors.contains("device-lost"), "\(first.errors)")
        #expect(!scene.exists("outbox/waits"))
        // Another daemon, another device: the job is done, and its first attempt does not count.
        let second = try scene.onSite("serve", "--once")
        #expect(second.status == 0)
        #expect(try scene.result("waits").status == "done")
    }

    @Test func aFaultInTheSearchCostsOneAttempt() throws {
        let scene = try Scene()
        try FileManager.default.copyItem(
            atPath: try scene.manifest("fails"), toPath: scene.path("inbox/fails.json"))
        let environment = try standIn(["STAND_IN_FAIL": "cuLaunchKernel:300:719"])
        let daemon = try scene.start(["serve", "--config", scene.path("primed.json5")], environment: environment)
        #expect(try scene.wait { daemon.said.contains("attempt-failed") })
        daemon.process.terminate()
        #expect(try daemon.ending().errors.contains(#""attempt":1,"code":"device""#), "\(daemon.said)")
        // The next attempt is on a sound device.
        #expect(try scene.onSite("serve", "--once").status == 0)
        #expect(try scene.result("fails").status == "done")
    }
}
