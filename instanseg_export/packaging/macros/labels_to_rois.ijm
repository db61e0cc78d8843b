// Turns the active label map into ROIs, one per instance, named after what it is and its id: "nuclei 12", "cells 12".
// Use it in Fiji or ImageJ on the output of the model: 0 is background, each instance has an id from 1 on. The slices
// of a label map with several channels are its structures, in the order nuclei, cells; one id is one cell in both.

structures = newArray("nuclei", "cells");
original = getImageID();
getDimensions(width, height, channels, slices, frames);
if (bitDepth() == 24) {
    exit("This is an RGB image. Run the macro on the label map itself, not on a coloured picture of it.");
}

run("ROI Manager...");   // before batch mode, which would use a hidden one and drop it at its end
setBatchMode(true);
selectImage(original);
roiManager("reset");
run("Select None");
for (s = 1; s <= nSlices; s++) {
    selectImage(original);
    if (nSlices > 1) {
        setSlice(s);
    }
    structure = "instances";
    if (nSlices <= structures.length) {
        structure = structures[s - 1];
    }
    getStatistics(area, mean, min, max);

    // Which ids occur: one pass over the pixels.
    found = newArray(max + 1);
    for (y = 0; y < height; y++) {
        for (x = 0; x < width; x++) {
            found[getPixel(x, y)] = 1;
        }
    }
    for (id = 1; id <= max; id++) {
        if (found[id] == 1) {
            selectImage(original);
            if (nSlices > 1) {
                setSlice(s);
            }
            setThreshold(id, id, "raw");
            run("Create Selection");
            roiManager("Add");
            roiManager("Select", roiManager("count") - 1);
            roiManager("Rename", structure + " " + id);
            showProgress(id, max);
        }
    }
    resetThreshold();
    run("Select None");
}
setBatchMode(false);
roiManager("Deselect");
showStatus(roiManager("count") + " ROIs");
