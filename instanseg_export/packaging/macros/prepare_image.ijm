// Prepares the active image for the model: its colours or planes become channels, its values 32-bit numbers. Choose it as
// the pre-processing in versions of deepImageJ that run macros (3.0.3 and older); newer ones do this by themselves.
// Values are not rescaled: the model does that, from the percentiles of the whole image.

wanted = 0;   // channels that the model takes; 0: any number
if (bitDepth() == 24) {
    run("Make Composite");
}
getDimensions(width, height, channels, slices, frames);
planes = channels * slices * frames;
if (wanted > 0 && planes != wanted) {
    exit("The model takes " + wanted + " channels, and this image has " + planes + ". Choose another image or its channels (Image > Color > Arrange Channels...).");
}
if (bitDepth() != 32) {
    resetMinAndMax();
    setOption("ScaleConversions", false);
    run("32-bit");
}
if (channels != planes) {
    run("Stack to Hyperstack...", "order=xyczt(default) channels=" + planes + " slices=1 frames=1 display=Grayscale");
}
