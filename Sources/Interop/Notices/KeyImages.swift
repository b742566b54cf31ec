// Makes the pictures that go along with a notice, when it is sent.

package import Catalog
import DICOMCore
import DICOMImaging
package import Retrieval

/// Draws a study's key images. Calls block: make them on plain threads.
package struct KeyImages: Sendable {
    /// No side of a picture is longer.
    private static let longestSide = 1_024
    /// Objects that are tried in vain before a study goes without more pictures.
    private static let mostFailures = 8
    private static let quality = 85

    let catalog: CatalogStore
    let retrieval: InstanceRetrieval

    package init(catalog: CatalogStore, retrieval: InstanceRetrieval) {
        self.catalog = catalog
        self.retrieval = retrieval
    }

    /// At most so many pictures of a study. What cannot be drawn is left out, and said.
    package func pictures(study uid: String, most: Int) -> KeyImageSet {
        guard most > 0 else { return KeyImageSet() }
        guard let instances = try? catalog.instances(Scope(studyUIDs: [uid])) else {
            return KeyImageSet(remark: "No key image: the archive cannot read the study now.")
        }
        var (set, failures) = (KeyImageSet(), 0)
        var drawn: Set<ChosenImage> = []
        for chosen in marked(instances) where set.images.count < most && failures < Self.mostFailures {
            guard drawn.insert(chosen).inserted else { continue }
            if let image = draw(chosen) { set.images.append(image) } else { failures += 1 }
        }
        if set.images.isEmpty {
            for series in Self.bySeries(instances) where set.images.count < most && failures < Self.mostFailures {
                if let image = middle(of: series, &failures) { set.images.append(image) }
            }
        }
        if failures > 0 {
            set.remark =
                set.images.isEmpty
                ? "No key image: the images cannot be drawn here." : "Some key images cannot be drawn here."
        }
        return set
    }

    /// What key objects name, then what presentation states show.
    private func marked(_ instances: [StoredInstance]) -> [ChosenImage] {
        let byUID = Dictionary(instances.map { ($0.sopInstanceUID, $0) }, uniquingKeysWith: { first, _ in first })
        var chosen: [ChosenImage] = []
        for sopClass in [KeyImageMarks.keyObjects, KeyImageMarks.presentationState] {
            let isState = sopClass == KeyImageMarks.presentationState
            for marker in instances where marker.sopClassUID == sopClass {
                guard let header = try? retrieval.header(of: marker) else { continue }
                for mark in KeyImageMarks.marks(header, sopClassUID: sopClass) {
                    guard let instance = byUID[mark.sopInstanceUID] else { continue }
                    chosen.append(
                        ChosenImage(
                            instance: instance, frame: mark.frame, isMarked: true, state: isState ? marker : nil))
                }
            }
        }
        return chosen
    }

    /// Series with pictures, in their order.
    private static func bySeries(_ instances: [StoredInstance]) -> [[StoredInstance]] {
        var order: [String] = []
        var series: [String: [StoredInstance]] = [:]
        for instance in instances where !CodecTable.isVideo(instance.transferSyntaxUID) {
            if series[instance.seriesInstanceUID] == nil { order.append(instance.seriesInstanceUID) }
            series[instance.seriesInstanceUID, default: []].append(instance)
        }
        return order.compactMap { series[$0] }
    }

    private func middle(of series: [StoredInstance], _ failures: inout Int) -> KeyImage? {
        let middle = series[series.count / 2]
        // Documents and the like have no frames: that is no failure.
        guard isPicture(middle) else { return nil }
        let image = draw(ChosenImage(instance: middle, frame: nil, isMarked: false, state: nil))
        if image == nil { failures += 1 }
        return image
    }

    /// What has rows is a picture, whether or not it can be drawn.
    private func isPicture(_ instance: StoredInstance) -> Bool {
        ((try? retrieval.header(of: instance))?.int(.rows) ?? 0) > 0
    }

    private func draw(_ chosen: ChosenImage) -> KeyImage? {
        let instance = chosen.instance
        do throws(RetrievalFailure) {
            var frame = chosen.frame
            if frame == nil { frame = max(1, (try retrieval.frames(of: instance).count + 1) / 2) }
            var request = RenderingRequest()
            request.format = .jpeg
            request.quality = Self.quality
            let size = Renderer.fittedSize(try retrieval.attributes(of: instance), nil)
            if max(size.width, size.height) > Self.longestSide {
                request.viewport = Viewport(width: Self.longestSide, height: Self.longestSide)
            }
            let picture = try retrieval.rendered(frame, of: instance, request, presentationState: chosen.state)
            return KeyImage(
                seriesInstanceUID: instance.seriesInstanceUID, sopInstanceUID: instance.sopInstanceUID,
                frame: frame ?? 1,
                isMarked: chosen.isMarked, jpeg: picture.bytes)
        } catch { return nil }
    }
}
