int phim_cdcmtk_placeholder(void){return 0;}
