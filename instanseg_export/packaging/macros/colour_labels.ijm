// Shows the active label map in colours that keep neighbours apart, as a copy; the label map itself is not changed.
// Ids above 255 start over with the first colour. The hues are steps of the golden angle around the colour circle, at
// three levels of brightness; the background stays black.

if (bitDepth() == 24) {
    exit("This is an RGB image. Run the macro on the label map itself.");
}
title = getTitle();
run("Select None");
run("Duplicate...", "title=[colours of " + title + "] duplicate");
run("32-bit");
run("Macro...", "code=[if (v > 0) v = (v - 1) % 255 + 1] stack");
setMinAndMax(0, 255);
run("8-bit");

reds = newArray(256);
greens = newArray(256);
blues = newArray(256);
for (i = 1; i < 256; i++) {
    hue = (i * 0.618033988749895) % 1;
    value = 1 - 0.22 * (i % 3);
    reds[i] = 255 * value * channel(hue, 0);
    greens[i] = 255 * value * channel(hue, 4);
    blues[i] = 255 * value * channel(hue, 2);
}
setLut(reds, greens, blues);

// One of the three colours of a hue in 0 to 1, with a little white so that blue stays visible.
function channel(hue, offset) {
    wave = abs((hue * 6 + offset) % 6 - 3) - 1;
    return 0.2 + 0.8 * minOf(1, maxOf(0, wave));
}
