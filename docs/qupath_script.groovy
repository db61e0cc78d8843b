// Segments the selected annotations of the open image with a model that instanseg-export wrote.
// In QuPath: Automate > Script editor, change the first lines, select annotations, Run > Run.
// For all images of a project: Run > Run for project; then the script takes every annotation of each image.

import qupath.ext.instanseg.core.InstanSeg
import qupath.lib.images.servers.ColorTransforms

// The folder with instanseg.pt and rdf.yaml; it may lie anywhere.
def modelFolder = "/path/to/models/local/nuclei_dsb2018"

// "cpu", "gpu" (CUDA) or "mps" (Apple silicon).
def device = "cpu"

// Names of the image's channels, in the order that the model expects; empty takes all channels.
// A model of three channels takes an RGB image as it is.
def channelNames = []

// Of a model that finds nuclei and cells: [0] for nuclei, [1] for cells, empty for both.
def outputs = []

// What the exported file lets you tune, see docs/settings.md; what is not listed keeps the value of the export.
// Whole numbers, decimal numbers, true and false can be sent; a text ("0.6") makes every tile fail.
def settings = [
    seed_threshold: 0.7,
    min_size      : 10,
]

def texts = settings.findAll { name, value -> !(value instanceof Number || value instanceof Boolean) }
if (texts) {
    println "These settings are neither numbers nor true or false, and nothing was run: ${texts.keySet().join(', ')}"
    return
}
def selected = getSelectedObjects().findAll { it.isAnnotation() }
if (selected.isEmpty()) {
    selected = getAnnotationObjects()
}
if (selected.isEmpty()) {
    println "Draw an annotation around what should be segmented, and select it."
    return
}
if (!getCurrentServer().getPixelCalibration().hasPixelSizeMicrons()) {
    println "The image has no pixel size, so it is not rescaled. Set it in the Image tab if the objects come out wrong."
}

def builder = InstanSeg.builder()
    .modelPath(modelFolder)
    .device(device)
    .tileDims(512)
    .interTilePadding(80)      // more than the largest object is wide
    .nThreads(2)
    .outputChannels(outputs as int[])
    .makeMeasurements(true)
    .randomColors(false)
    .args(settings)
if (channelNames) {
    builder = builder.inputChannels(channelNames.collect { ColorTransforms.createChannelExtractor(it) })
} else {
    builder = builder.allInputChannels()
}

def results = builder.build().detectObjects(getCurrentImageData(), selected)
fireHierarchyUpdate()

def image = getProjectEntry()?.getImageName() ?: "The image"
if (results.nTilesProcessed() == 0) {
    // A damaged model leaves no failed tile behind, but no tile at all.
    println "${image}: nothing was run. Look into View > Show log: the model may be damaged or need another device."
    return
}
println "${image}: ${selected.sum { it.nChildObjects() }} objects, " +
    "${results.nTilesFailed()} of ${results.nTilesProcessed()} tiles failed"
